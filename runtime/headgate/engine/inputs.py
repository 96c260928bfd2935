"""What MCP servers ask the person behind a call (elicitation), as questions of the run.

A server of 2026-07-28 interrupts its call: the question is a row, the run is parked, and the call is made again with
the replies. A server of before asks while it holds the call: then the call waits in this process, and its question is
void when the call ends without an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from headgate.core.errors import StoreError
from headgate.core.events import InputRequested, InputResolved
from headgate.core.inputs import Question, Reply, Round
from headgate.core.messages import ToolCall
from headgate.core.passage import Deferred, Passage, Trail
from headgate.engine.bell import Bell
from headgate.engine.questions import Questions
from headgate.engine.recorder import Recorder
from headgate.engine.stillness import Stillness
from headgate.engine.turn import CallState
from headgate.engine.unbroken import carry_out
from headgate.engine.witness import answered
from headgate.interceptors.texts import mapped
from headgate.stores.port import Ledger
from headgate.stores.waits import Answer, WaitRecord

CUT_OFF = "the call that it was for was cut off"
GONE = "the server does not wait for it any more"
_LATE = 0.5
"""Seconds between looks at a question whose time is over."""


@dataclass(eq=False, slots=True)
class _Held:
    """A question for which a call of the server is held; `gone` says that the call has ended."""

    server: str
    rung: asyncio.Event
    gone: bool = False
    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Asks on behalf of one run; `scrub` takes secrets out of what servers say."""

    questions: Questions
    bell: Bell
    stillness: Stillness
    scrub: Callable[[str], str]
    _held: dict[str, _Held] = field(default_factory=dict)
    _voiding: set[asyncio.Task[None]] = field(default_factory=set)

    # -- calls that their server has interrupted ---------------------------------------------------------------------

    async def interrupted(self, call: ToolCall, deferred: Deferred, state: CallState) -> WaitRecord:
        """Asks the first question of the round for which the call was given up."""
        assert deferred.round is not None
        state.begun = None
        return await self._next(call, state, deferred.round, deferred.trail)

    async def passage(self, call: ToolCall, state: CallState) -> WaitRecord | Passage | None:
        """How far an interrupted call has come: with the replies, if all questions have one; or the next question. None
        for every other call."""
        asked = state.waits.get("input")
        if asked is None or asked.round is None:
            return None
        if asked.state == "pending":
            return asked
        self._resolved(asked, state)
        known = asked.round.with_reply(reply_of(asked))
        if known.next is not None:
            return await self._next(call, state, known, asked.trail)
        return Passage(asked.trail, known)

    async def _next(self, call: ToolCall, state: CallState, round: Round, trail: Trail | None) -> WaitRecord:
        wait = self._wait(call, state, round.questions[round.next or ""])
        return await self.questions.open(replace(wait, round=round, trail=trail), requested(wait), state)

    # -- calls that their server holds ---------------------------------------------------------------------------------

    async def ask(self, call: ToolCall, state: CallState, question: Question) -> Reply:
        """What a person says; the call waits here, and the time limits of the run and of calls of the server stand
        still."""
        wait = self._wait(call, state, question)
        held = self._held[wait.id] = _Held(question.server, self.bell.hold(wait.id))
        try:
            with self.stillness.still(question.server):
                await self.questions.open(wait, requested(wait), state)
                settled = await self._settled(wait, held)
        except asyncio.CancelledError:
            self._voiding.add(asyncio.ensure_future(self._void(wait)))
            raise
        finally:
            self.bell.let_go(wait.id)
            del self._held[wait.id]
            held.done.set()
        if settled is None:
            return Reply("cancel")
        self._resolved(settled, state)
        return reply_of(settled)

    async def over(self, server: str | None) -> None:
        """A call of the server has ended. Returns when no question is open that nobody waits for any more, also when
        cancelled: which call a question is for cannot always be told, so they are void when there is none left."""
        if self._held and server is not None and not self.stillness.counts(server):
            left = [held for held in self._held.values() if held.server == server]
            for held in left:
                held.gone = True
                held.rung.set()
            await carry_out(_all(held.done.wait() for held in left))
        for task in list(self._voiding):
            await carry_out(_all([asyncio.wait([task])]))
            self._voiding.discard(task)

    async def _settled(self, wait: WaitRecord, held: _Held) -> WaitRecord | None:
        """The wait when it is settled; None when the call for which it was asked has ended before."""
        ledger, now = self.questions.ledger, self.questions.recorder.now
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(_LATE, wait.expires_at - now())):
                    await held.rung.wait()
            held.rung.clear()
            if held.gone:
                await self._void(wait)
                return None
            found = await ledger.wait(wait.id)
            if found is None or found.state != "pending":
                return found or wait

    async def _void(self, wait: WaitRecord) -> None:
        """A store that fails leaves the question to the end of the run, or to who takes it up."""
        with contextlib.suppress(StoreError):
            await void(self.questions.ledger, self.questions.recorder, wait, GONE)

    def _wait(self, call: ToolCall, state: CallState, asked: Question) -> WaitRecord:
        schema = mapped(asked.schema, lambda _label, text: self.scrub(text)) if asked.schema is not None else None
        question = replace(asked, message=self.scrub(asked.message), schema=schema)
        return replace(self.questions.wait_for("input", call, state, asked.timeout), question=question)

    def _resolved(self, wait: WaitRecord, state: CallState) -> None:
        if wait.id not in state.resolved:
            state.resolved |= {wait.id}
            self.questions.recorder.emit(resolved(wait), wait.step)


async def _all(works: Iterable[Awaitable[Any]]) -> None:
    for work in works:
        await work


def reply_of(wait: WaitRecord) -> Reply:
    """What the server is told: that nobody has chosen, where nobody has."""
    said = wait.votes[-1].decision if wait.votes and wait.state == "answered" else None
    if said == "accept":
        return Reply("accept", wait.result.structured if wait.result is not None else None)
    return Reply("decline" if said == "decline" else "cancel")


def requested(wait: WaitRecord) -> InputRequested:
    """The event that asks."""
    question = wait.question
    assert question is not None
    return InputRequested(
        id=wait.id, kind="input", call_id=wait.call_id, name=wait.tool, args=wait.args, expires_at=wait.expires_at,
        server=question.server, message=question.message, schema=question.schema, url=question.url,
    )  # fmt: skip


def resolved(wait: WaitRecord, reason: str = "") -> InputResolved:
    """The event that says what became of it."""
    vote = wait.votes[-1] if wait.votes else None
    return InputResolved(
        id=wait.id, call_id=wait.call_id, name=wait.tool, state=wait.state, reason=reason,
        action=vote.decision if vote else "", by=vote.by if vote else "",
    )  # fmt: skip


async def void(ledger: Ledger, recorder: Recorder, wait: WaitRecord, reason: str) -> None:
    """Nobody waits for the answer any more; tells so, unless the question was settled before."""
    now = recorder.now()
    told = answered(wait, ("", ""), "cancelled", now, reason=reason)
    voided = await ledger.answer(Answer(wait_id=wait.id, state="cancelled", at=now, audit=(told,)))
    if voided is not None and not recorder.ended:
        recorder.emit(resolved(voided, reason), wait.step)


async def void_lost(ledger: Ledger, recorder: Recorder, waits: Iterable[WaitRecord], told: frozenset[str]) -> None:
    """Questions of calls that an earlier owner of the run held: those calls are gone, whatever was answered."""
    for wait in waits:
        if wait.held and wait.state == "pending":
            await void(ledger, recorder, wait, CUT_OFF)
        elif wait.held and wait.id not in told:
            recorder.emit(resolved(wait, CUT_OFF), wait.step)
