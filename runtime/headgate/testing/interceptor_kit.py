"""What every kind of interceptor must keep, as checks that a test of the kind calls; and what such tests need to run.

`check_innocent` runs all that can be said of an interceptor and a call and a turn with which nothing is wrong. A check
raises `AssertionError` that says which contract was broken, and otherwise returns what it saw.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx2

from headgate.core.context import ToolContext
from headgate.core.errors import PolicyRefused
from headgate.core.kind import Env, Kind, Scope
from headgate.core.messages import CODES, ToolCall, ToolResult
from headgate.core.passage import Deferred
from headgate.core.ports import (
    Interceptor,
    ModelEvent,
    ModelRequest,
    Restarted,
    TextChunk,
    ToolDefinition,
    TurnDone,
)
from headgate.interceptors.common import InterceptorSpec
from headgate.testing.interceptor_fakes import (
    CUT_OFF,
    INNOCENT,
    LOOKUP,
    PROSE,
    Listener,
    Tool,
    Turn,
    asking,
    calling,
    saying,
)

__all__ = [
    "CUT_OFF", "INNOCENT", "LOOKUP", "PROSE", "Listener", "Tool", "Turn", "asking", "calling", "check_innocent",
    "check_refusal", "opened", "saying", "text_of", "told",
]  # fmt: skip

PATIENCE = 30.0
"""Seconds that a check waits for what must happen."""
HELD = 1_000
"""Characters of a stream that an interceptor which does not hold all of a turn may hold."""


@contextlib.asynccontextmanager
async def opened(
    kind: Kind[Any, Interceptor], body: Mapping[str, Any], *, name: str = "sample", env: Env | None = None
) -> AsyncIterator[Interceptor]:
    """An interceptor from the body of its table, which must be free of findings."""
    spec = kind.spec.model_validate({"kind": kind.name, **body})
    errors = [each for each in kind.check(spec, Scope(name)) if each.severity == "error"]
    assert not errors, f"the table has findings: {errors}"
    assert isinstance(spec, InterceptorSpec), "the spec is not one of an interceptor"
    async with httpx2.AsyncClient() as client, kind.open(spec, env or Env(name, client, _nothing)) as interceptor:
        assert interceptor.touches == spec.touches, "the interceptor does not touch what its spec says"
        yield interceptor


def _nothing(path: str) -> bytes:
    raise FileNotFoundError(path)


async def told(interceptor: Interceptor, turn: Turn, request: ModelRequest | None = None) -> list[ModelEvent]:
    """Every event of a turn behind the interceptor; the last one, and no other, is its end."""
    asked = request or asking("Hello?")
    events = [each async for each in interceptor.around_model(Listener().turn(), asked, turn)]
    ends = [index for index, each in enumerate(events) if isinstance(each, TurnDone)]
    assert ends == [len(events) - 1], f"the turn ends at {ends} of {len(events)} events"
    return events


def text_of(events: Sequence[ModelEvent]) -> str:
    """What a client has on its screen after these events."""
    begun = max((index for index, each in enumerate(events) if isinstance(each, Restarted)), default=-1) + 1
    return "".join(each.text for each in events[begun:] if isinstance(each, TextChunk))


async def check_innocent(interceptor: Interceptor, call: ToolCall | None = None) -> None:
    """An innocent call and an innocent turn pass unchanged, side by side too, and can be cancelled at any time."""
    wanted = call or calling(name_of_thing="a thing")
    await check_call(interceptor, wanted)
    await check_parallel(interceptor, wanted)
    await check_cancellation(interceptor, wanted)
    await check_two_ways(interceptor, wanted)
    await check_without_arguments(interceptor)
    await check_turn(interceptor)
    await check_stream(interceptor)
    await check_closing(interceptor)


async def check_call(interceptor: Interceptor, call: ToolCall) -> None:
    """The call is made once and as it is, and its result comes back; that the run is not known changes nothing."""
    for ctx in (Listener().call(), replace(Listener().call(), within=None, tool=None)):
        tool = Tool()
        result = await interceptor.around_tool(ctx, call, tool)
        assert result.status == "ok", f"the call was refused: {result.error}"
        assert result.structured == INNOCENT.structured, "the result was changed"
        assert [each.args for each in tool.calls] in ([call.args], []), "the call was changed, or made again"


async def check_parallel(interceptor: Interceptor, call: ToolCall) -> None:
    """Calls side by side get their own results, and none waits for the end of another that has other arguments."""
    gathered = asyncio.Barrier(4)

    async def meet(wanted: ToolCall, _ctx: ToolContext, /) -> ToolResult:
        await gathered.wait()
        return ToolResult(structured=wanted.args)

    calls = [ToolCall(f"call_{n}", call.name, {**(call.args or {}), "number": n}) for n in range(4)]
    ctx = Listener().call()
    async with asyncio.timeout(PATIENCE):
        results = await asyncio.gather(*(interceptor.around_tool(ctx, each, meet) for each in calls))
    assert [each.structured for each in results] == [each.args for each in calls], "results were mixed up"


async def check_cancellation(interceptor: Interceptor, call: ToolCall) -> None:
    """A call that is cancelled ends as cancelled, with what is behind it, and leaves no task."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang(_call: ToolCall, _ctx: ToolContext, /) -> ToolResult:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError("nobody ends this")

    other = ToolCall(call.id, call.name, {**(call.args or {}), "number": -1})
    before = asyncio.all_tasks()
    task = asyncio.create_task(_made(interceptor, other, hang))
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError), f"the cancelled call ended with {outcome!r}"
    assert ended.is_set(), "the tool runs on"
    assert asyncio.all_tasks() == before, "a task was left"


async def _made(interceptor: Interceptor, call: ToolCall, tool: Any, ctx: ToolContext | None = None) -> ToolResult:
    return await interceptor.around_tool(ctx or Listener().call(), call, tool)


async def check_two_ways(interceptor: Interceptor, call: ToolCall) -> None:
    """A call that can only wait for its result is not taken for one that failed; with what it left in its `memo`, the
    interceptor hands the result through later, and makes the call once."""
    other, first = ToolCall(call.id, call.name, {**(call.args or {}), "number": -2}), Listener().call()

    async def wait(wanted: ToolCall, _ctx: ToolContext, /) -> ToolResult:
        raise Deferred(wanted)

    (outcome,) = await asyncio.gather(_made(interceptor, other, wait, first), return_exceptions=True)
    assert isinstance(outcome, Deferred), f"the interceptor answers a call that waits: {outcome}"
    assert outcome.call.args == other.args, "the call was changed"
    tool, kept = Tool(), json.loads(json.dumps(first.memo))
    result = await interceptor.around_tool(replace(Listener().call(), resumed=True, memo=kept), other, tool)
    assert result.structured == INNOCENT.structured, "the result was changed"
    assert len(tool.calls) == 1, f"the call was made {len(tool.calls)} times"


async def check_without_arguments(interceptor: Interceptor) -> None:
    """A call whose arguments could not be read does no harm."""
    with contextlib.suppress(PolicyRefused):
        await interceptor.around_tool(Listener().call(), ToolCall("call_1", "lookup", None, "{"), Tool())


async def check_turn(interceptor: Interceptor) -> None:
    """The turn is told as it is, also when it is made again in the middle."""
    turn = saying("Hello ", "there.")
    again = Restarted(1, CUT_OFF, 0.0, "m")
    for events in (turn.events, (TextChunk("Hell"), again, *turn.events)):
        seen = await told(interceptor, Turn(events))
        assert text_of(seen) == "Hello there.", f"the text was changed to {text_of(seen)!r}"
        assert seen[-1] == turn.events[-1], "the end of the turn was changed"


async def check_stream(interceptor: Interceptor) -> None:
    """No text is held for ever: unless the whole turn is held, not more than `HELD` characters of it are."""
    if interceptor.streams == "whole" or "model" not in interceptor.touches:
        return
    turn = Turn([TextChunk(PROSE)] * 100, endless=True)
    said, held = 0, 0
    async with aclosing(interceptor.around_model(Listener().turn(), asking("Tell me."), turn)) as events:
        async with asyncio.timeout(PATIENCE):
            async for event in events:
                said += len(event.text) if isinstance(event, TextChunk) else 0
                held = len(PROSE) * 100 - said
                if held <= HELD:
                    break
    assert held <= HELD, f"{held} characters are held"


async def check_closing(interceptor: Interceptor) -> None:
    """A turn that nobody wants any more is closed, and leaves no task."""
    turn = Turn([TextChunk(PROSE)], endless=True)
    before = asyncio.all_tasks()
    task = asyncio.create_task(_drained(interceptor.around_model(Listener().turn(), asking("Tell me."), turn)))
    async with asyncio.timeout(PATIENCE):
        await turn.begun.wait()
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError), f"the closed turn ended with {outcome!r}"
    assert turn.closed, "the turn behind it goes on"
    assert asyncio.all_tasks() == before, "a task was left"


async def _drained(events: AsyncGenerator[ModelEvent]) -> None:
    async with aclosing(events) as source:
        async for _ in source:
            pass


async def check_refusal(
    interceptor: Interceptor, call: ToolCall, *, tool: ToolDefinition = LOOKUP, result: ToolResult = INNOCENT
) -> PolicyRefused:
    """The call is refused as interceptors refuse, with a code that is documented and a sentence for the model."""
    found: PolicyRefused | ToolResult
    try:
        found = await interceptor.around_tool(Listener().call(tool), call, Tool((result,)))
    except PolicyRefused as refused:
        found = refused
    assert isinstance(found, PolicyRefused), f"the call was not refused: {found}"
    assert found.code in CODES, f"the code {found.code!r} is not documented"
    assert found.message, "the refusal says nothing"
    return found
