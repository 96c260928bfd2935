"""Retries, backoff and fallback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from headgate.core.errors import ProviderError
from headgate.core.messages import Message, Opaque, Text, Thinking, Usage
from headgate.core.ports import ModelEvent, ModelRequest, Provider, Restarted, TextChunk, TurnDone
from headgate.providers.attempts import Attempts, Candidate, WallClock
from headgate.providers.failures import from_status
from headgate.providers.settings import Retry
from headgate.testing import anthropic_replies as replies
from headgate.testing.anthropic_api import AnthropicApi
from headgate.testing.pauses import NoPauses
from tests.providers.samples import ask, assistant, failure, play, user
from tests.virtual import in_virtual_time

DONE = TurnDone(Message("assistant", (Text("ok"),)), Usage(1, 1), "end", "m")


class Player:
    """A model that plays one list of events and errors per try, and notes what it was asked."""

    def __init__(self, *tries: Sequence[ModelEvent | ProviderError]) -> None:
        self.tries = list(tries)
        self.asked: list[ModelRequest] = []
        self.closed = 0

    async def stream(self, request: ModelRequest, /) -> AsyncGenerator[ModelEvent]:
        """Plays the next try."""
        self.asked.append(request)
        try:
            for each in self.tries.pop(0):
                if isinstance(each, ProviderError):
                    raise each
                yield each
        finally:
            self.closed += 1


def attempts(*players: Player, retries: int = 2, timeout: float = 60.0) -> tuple[Attempts, NoPauses]:
    """The players in order, as models a, b, ..., and the clock."""
    clock = NoPauses()
    retry = Retry(max=retries, backoff=1.0)
    candidates = [Candidate(player, name, retry, timeout) for player, name in zip(players, "abc", strict=False)]
    return Attempts(candidates, clock=clock), clock


async def test_first_try() -> None:
    """A turn that works is passed through as it is."""
    player = Player([TextChunk("o"), TextChunk("k"), DONE])
    model, clock = attempts(player)
    assert await play(model) == [TextChunk("o"), TextChunk("k"), DONE]
    assert (player.asked[0].model, player.asked[0].attempt, clock.taken) == ("a", 0, [])


async def test_retry_is_told() -> None:
    """A failed try is announced before the next one, with its reason and pause."""
    player = Player([TextChunk("o"), from_status(529)], [TextChunk("ok"), DONE])
    model, _ = attempts(player)
    chunk, restarted, *rest = await play(model)
    assert chunk == TextChunk("o")
    assert isinstance(restarted, Restarted)
    assert (restarted.attempt, restarted.reason.code, restarted.delay, restarted.model) == (
        1,
        "provider_overloaded",
        1.0,
        "a",
    )
    assert rest == [TextChunk("ok"), DONE]
    assert [request.attempt for request in player.asked] == [0, 1]


async def test_backoff_doubles() -> None:
    """The longest pause doubles with every retry, and the last error is raised when all are used up."""
    player = Player(*[[from_status(500)]] * 4)
    model, clock = attempts(player, retries=3)
    error = await failure(model)
    assert (error.code, clock.taken, len(player.asked)) == ("provider_unavailable", [1.0, 2.0, 4.0], 4)


async def test_backoff_is_capped() -> None:
    """No pause is longer than a minute, whatever the arithmetic or the provider says."""
    errors = [[from_status(429, retry_after=3600)], *[[from_status(429)]] * 7]
    model, clock = attempts(Player(*errors, [DONE]), retries=10, timeout=1000.0)
    await play(model)
    assert clock.taken == [60.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


async def test_retry_after_is_honoured() -> None:
    """The provider's own wait goes before the backoff."""
    model, clock = attempts(Player([from_status(429, retry_after=7.5)], [DONE]))
    await play(model)
    assert clock.taken == [7.5]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_own_fault(status: int) -> None:
    """An error that the request itself has goes straight to the caller: no retry, no fallback, no announcement."""
    first, second = Player([from_status(status)]), Player([DONE])
    model, clock = attempts(first, second)
    assert (await failure(model)).status == status
    assert (len(first.asked), second.asked, clock.taken) == (1, [], [])


async def test_another_may_make_sense() -> None:
    """An answer that cannot be read is not asked for again, but the next candidate takes over."""
    first, second = Player([TextChunk("o"), ProviderError("what?")]), Player([DONE])
    model, clock = attempts(first, second)
    assert isinstance((await play(model))[1], Restarted)
    assert (len(first.asked), len(second.asked), clock.taken) == (1, 1, [0.0])


async def test_no_vain_announcement() -> None:
    """Nothing is announced when nothing can follow."""
    model, _ = attempts(Player([TextChunk("o"), from_status(529)]), retries=0)
    events = model.stream(ask())
    assert await anext(events) == TextChunk("o")
    with pytest.raises(ProviderError, match="529"):
        await anext(events)


async def test_fallback() -> None:
    """The next candidate takes over at once when the retries of the first are used up."""
    first, second = Player(*[[from_status(529)]] * 2), Player([from_status(500)], [TextChunk("ok"), DONE])
    model, clock = attempts(first, second, retries=1)
    events = await play(model)
    told = [(event.attempt, event.model, event.delay) for event in events if isinstance(event, Restarted)]
    assert told == [(1, "a", 1.0), (2, "b", 0.0), (3, "b", 1.0)]
    assert [request.model for request in second.asked] == ["b", "b"]
    assert clock.taken == [1.0, 0.0, 1.0]


async def test_unfinished_turn() -> None:
    """A turn without an end is cut off, and made again."""
    model, _ = attempts(Player([TextChunk("o")], [DONE]))
    restarted = (await play(model))[1]
    assert isinstance(restarted, Restarted)
    assert restarted.reason.code == "provider_cut_off"


class Silent:
    """A model that says one word and then nothing."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def stream(self, request: ModelRequest, /) -> AsyncGenerator[ModelEvent]:
        """Waits for ever."""
        try:
            yield TextChunk("o")
            await asyncio.Event().wait()
        finally:
            self.closed.set()


@in_virtual_time
async def test_turn_timeout() -> None:
    """A turn that takes too long fails, is closed, and is not retried at the same candidate."""
    silent = Silent()
    model = Attempts([Candidate(silent, "a", Retry(), 0.02)], clock=NoPauses())
    error = await failure(model)
    assert (error.code, error.retryable) == ("provider_timeout", False)
    assert silent.closed.is_set()


@in_virtual_time
async def test_turn_timeout_falls_back() -> None:
    """Another candidate takes over from one that takes too long, with its own time."""
    second = Player([DONE])
    model = Attempts([Candidate(Silent(), "a", Retry(), 0.02), Candidate(second, "b", Retry(), 60.0)], clock=NoPauses())
    assert (await play(model))[-1] == DONE


@in_virtual_time
async def test_no_time_for_a_retry() -> None:
    """A pause that would outlast the turn is not begun: the error is raised at once."""
    model, clock = attempts(Player([from_status(429, retry_after=30)]), timeout=5.0)
    assert (await failure(model)).code == "provider_rate_limited"
    assert clock.taken == []


@in_virtual_time
async def test_slow_consumer() -> None:
    """The consumer's own time is never interrupted by the turn's limit."""
    model = Attempts([Candidate(Player([TextChunk("o"), DONE]), "a", Retry(), 0.02)], clock=NoPauses())
    events = model.stream(ask())
    assert await anext(events) == TextChunk("o")
    await asyncio.sleep(0.05)
    with pytest.raises(ProviderError, match="took longer than"):
        await anext(events)


async def test_close() -> None:
    """Closing the iterator closes the provider's stream at once."""
    player = Player([TextChunk("o"), DONE])
    model, _ = attempts(player)
    events = model.stream(ask())
    await anext(events)
    assert isinstance(events, AsyncGenerator)
    await events.aclose()
    assert player.closed == 1


def test_needs_a_candidate() -> None:
    """Without a candidate there is nothing to attempt."""
    with pytest.raises(ValueError, match="at least one"):
        Attempts([])


async def test_wall_clock() -> None:
    """Real pauses are drawn between nothing and the longest, and are slept."""
    clock = WallClock()
    assert all(0 <= clock.draw(0.5) <= 0.5 for _ in range(100))
    await clock.pause(0)


async def test_opaque_stays_behind(api: AnthropicApi, claude: Provider) -> None:
    """Thinking of the first model is not sent to the fallback model."""
    api.queue(replies.error(529, "overloaded_error", "busy"))
    retry = Retry(max=0)
    candidates = [Candidate(claude, name, retry, 60.0) for name in ("claude-opus-5", "claude-sonnet-5")]
    thought = Thinking("hm", Opaque("claude", "claude-opus-5", b'{"signature":"s"}'))
    await play(Attempts(candidates, clock=NoPauses()), ask(user(), assistant(thought, Text("a")), user()))
    kinds = [[block["type"] for block in each.body["messages"][1]["content"]] for each in api.requests]
    assert kinds == [["thinking", "text"], ["text"]]
