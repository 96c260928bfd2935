"""Makes a provider turn until it is whole: retries with backoff at one candidate, then the fallback candidates.

Every restart is told (`Restarted`), because what was streamed before it is void. Sources: AWS Architecture Blog,
"Exponential Backoff And Jitter" (full jitter); RFC 9110 §10.2.3 (Retry-After).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from headgate.core.errors import ProviderError
from headgate.core.messages import ErrorInfo
from headgate.core.ports import Broken, Model, ModelEvent, ModelRequest, Restarted, TurnDone
from headgate.providers.deadline import Deadline
from headgate.providers.failures import AVAILABILITY, unavailable
from headgate.providers.settings import Retry

LONGEST_PAUSE = 60.0
"""Seconds: no retry waits longer, whatever the provider asks for."""


class Clock(Protocol):
    """How pauses are drawn and spent; tests pass one that does not wait."""

    def draw(self, longest: float) -> float:
        """A random pause between 0 and `longest` seconds."""
        ...

    async def pause(self, seconds: float) -> None:
        """Waits."""
        ...


class WallClock:
    """Real pauses."""

    def draw(self, longest: float) -> float:
        """Uniformly distributed: full jitter."""
        return random.uniform(0, longest)

    async def pause(self, seconds: float) -> None:
        """Sleeps."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to make the turn: a model port, the model id to ask for, and how patient to be with it.

    `turn_timeout` is in seconds and covers all tries of this candidate and the pauses between them. `name` is the
    provider's, and stands in the turns that it makes.
    """

    provider: Model
    model: str
    retry: Retry
    turn_timeout: float
    name: str = ""


class Attempts:
    """A `Model` that asks the candidates in order until one has made the whole turn.

    A retryable error is tried again at the same candidate. When its retries are used up, or its time is, the next
    candidate takes over; an error that is the request's own fault (credentials, an invalid request) goes straight to
    the caller. `request.model` is replaced by the candidate's, `request.attempt` grows with every restart.
    """

    def __init__(self, candidates: Sequence[Candidate], *, clock: Clock | None = None) -> None:
        if not candidates:
            raise ValueError("at least one candidate is needed")
        self._candidates = tuple(candidates)
        self._clock = clock or WallClock()

    async def stream(self, request: ModelRequest, /) -> AsyncGenerator[ModelEvent]:
        """Yields the turn, with a `Restarted` before each further try; raises the last error when all have failed."""
        course = _Course(self._candidates, self._clock)
        try:
            while True:
                events = course.candidate.provider.stream(course.asked(request))
                restarted: Restarted | None = None
                try:
                    done = False
                    while True:  # the hot path: a method that gives the next event would cost as much as the event
                        try:
                            with course.deadline:
                                event = await anext(events)
                        except (StopAsyncIteration, TimeoutError) as end:
                            course.require_whole(end, done=done)
                            break
                        done = False
                        if isinstance(event, TurnDone):
                            done, event = True, msgspec.structs.replace(event, provider=course.candidate.name)
                        yield event
                except ProviderError as error:
                    restarted = course.advance(error)
                    if restarted is None:
                        raise
                finally:
                    await events.aclose()
                if restarted is None:
                    return
                yield restarted
                await self._clock.pause(restarted.delay)
        finally:
            course.close()


class _Course:
    """Where a turn stands: which candidate, which try, and how much time is left."""

    def __init__(self, candidates: tuple[Candidate, ...], clock: Clock) -> None:
        self._candidates = candidates
        self._clock = clock
        self._place = 0
        self._retries = 0
        self._attempt = 0
        self.deadline = Deadline(self.candidate.turn_timeout)

    @property
    def candidate(self) -> Candidate:
        """Who is asked now."""
        return self._candidates[self._place]

    def asked(self, request: ModelRequest) -> ModelRequest:
        """The request as the candidate gets it."""
        name, heard = self.candidate.name, request.broken

        def broken(told: Broken) -> None:
            heard(msgspec.structs.replace(told, provider=name))

        return replace(request, model=self.candidate.model, attempt=self._attempt, broken=broken)

    def close(self) -> None:
        """Stops the clock."""
        self.deadline.close()

    def require_whole(self, end: Exception, *, done: bool) -> None:
        """Raises the error for an iterator that ended like this, unless the turn was whole."""
        if isinstance(end, TimeoutError):
            seconds = self.candidate.turn_timeout
            raise ProviderError(f"the turn took longer than {seconds:g} s", code="provider_timeout") from None
        if not done:
            raise unavailable("provider_cut_off", "the provider's answer ended before it was whole") from None

    def advance(self, error: ProviderError) -> Restarted | None:
        """How the turn goes on after this error; None when it cannot."""
        delay = self._delay(error)
        if delay is None:
            if self._place + 1 == len(self._candidates) or not (error.retryable or error.code in AVAILABILITY):
                return None
            self._turn_over()
            delay = 0.0
        else:
            self._retries += 1
        self._attempt += 1
        reason = ErrorInfo(error.code, error.message, error.retryable)
        return Restarted(self._attempt, reason, delay, self.candidate.model)

    def _delay(self, error: ProviderError) -> float | None:
        """The pause before a retry at the same candidate, or None when there is no retry or no time for it."""
        retry = self.candidate.retry
        if not error.retryable or self._retries >= retry.max:
            return None
        if error.retry_after is not None:
            delay = min(error.retry_after, LONGEST_PAUSE)
        else:
            delay = self._clock.draw(min(retry.backoff * 2.0**self._retries, LONGEST_PAUSE))
        return delay if delay < self.deadline.remaining else None

    def _turn_over(self) -> None:
        self.deadline.close()
        self._place += 1
        self._retries = 0
        self.deadline = Deadline(self.candidate.turn_timeout)
