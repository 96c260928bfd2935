"""What every provider kind must keep, as contracts that a test runs against an opened provider.

A new kind is covered by one `Bench`: a provider, and the requests that make it do four things.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from headgate.core.errors import ProviderError
from headgate.core.ports import ModelEvent, ModelRequest, Provider, TextChunk, ThinkingChunk, TurnDone


@dataclass(frozen=True, slots=True)
class Bench:
    """An opened provider and what to ask of it.

    `plain` is answered with text of at least two chunks, `calling` with tool calls, `failing` not at all, `endless`
    with one chunk and then silence. `released` returns once the call made for `endless` holds nothing any more.
    """

    provider: Provider
    plain: ModelRequest
    calling: ModelRequest
    failing: ModelRequest
    endless: ModelRequest
    released: Callable[[], Awaitable[None]]


Contract = Callable[[Bench], Awaitable[None]]


async def collect(provider: Provider, request: ModelRequest) -> list[ModelEvent]:
    """All events of one turn."""
    return [event async for event in provider.stream(request)]


async def ends_once(bench: Bench) -> None:
    """Exactly one `TurnDone` ends a turn, and it is the last event."""
    for request in (bench.plain, bench.calling):
        events = await collect(bench.provider, request)
        assert [isinstance(event, TurnDone) for event in events] == [False] * (len(events) - 1) + [True]


async def chunks_whole(bench: Bench) -> None:
    """No chunk is empty, and the chunks together are the text of the message."""
    *chunks, done = await collect(bench.provider, bench.plain)
    assert len(chunks) >= 2
    assert all(isinstance(chunk, TextChunk | ThinkingChunk) and chunk.text for chunk in chunks)
    assert isinstance(done, TurnDone)
    assert "".join(chunk.text for chunk in chunks if isinstance(chunk, TextChunk)) == done.message.text


async def calls_whole(bench: Bench) -> None:
    """A turn with tool calls says so, and every call has an id, a name and an object of arguments."""
    done = (await collect(bench.provider, bench.calling))[-1]
    assert isinstance(done, TurnDone)
    assert done.stop == "tools"
    assert done.message.calls
    assert all(call.id and call.name and isinstance(call.args, dict) for call in done.message.calls)


async def counts_tokens(bench: Bench) -> None:
    """A turn has usage and names its model."""
    done = (await collect(bench.provider, bench.plain))[-1]
    assert isinstance(done, TurnDone)
    assert done.usage.input > 0
    assert done.usage.output > 0
    assert done.model
    assert done.message.role == "assistant"


async def fails_cleanly(bench: Bench) -> None:
    """A failure is a `ProviderError` with a code of its own and a message that shows no object."""
    error = await _failure(bench)
    assert error.code not in ("", "internal_error")
    assert error.message
    assert "Error(" not in error.message
    assert "<" not in error.message


async def _failure(bench: Bench) -> ProviderError:
    try:
        await collect(bench.provider, bench.failing)
    except ProviderError as error:
        return error
    raise AssertionError("the failing request did not fail")


async def closes_at_once(bench: Bench) -> None:
    """Closing the iterator after the first event lets the call go."""
    events = bench.provider.stream(bench.endless)
    assert isinstance(await anext(events), TextChunk | ThinkingChunk)
    assert isinstance(events, AsyncGenerator)
    await events.aclose()
    await bench.released()


async def names_default(bench: Bench) -> None:
    """There is a default model, and whether answers are scripted is known."""
    assert bench.provider.default_model
    assert isinstance(bench.provider.demo, bool)


CONTRACTS: tuple[Contract, ...] = (
    ends_once,
    chunks_whole,
    calls_whole,
    counts_tokens,
    fails_cleanly,
    closes_at_once,
    names_default,
)
"""All contracts of a provider."""
