"""Interceptors as a snapshot applies them: enforced, warned about, only counted; in order; under conditions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, cast

import msgspec
import pytest

from headgate.compile.applied import Applied, model_chain, tool_chain
from headgate.core.context import Mode, RunContext, ToolContext
from headgate.core.errors import GatewayError, PolicyRefused, ToolError
from headgate.core.messages import ErrorInfo, Message, Text, ToolCall, ToolResult, Usage
from headgate.core.ports import (
    ModelCall,
    ModelEvent,
    ModelNext,
    ModelRequest,
    Restarted,
    TextChunk,
    ToolNext,
    TurnDone,
)
from headgate.expressions.cel_types import Declarations
from headgate.expressions.condition import Condition
from headgate.interceptors.common import Passing
from headgate.testing.interceptor_kit import LOOKUP, Listener, Tool, Turn, asking, calling, saying, text_of

REFUSED = PolicyRefused("not on my watch", code="policy_denied", retryable=True, details={"why": "because"})
MODES = ("warn", "audit")


class Sample(Passing):
    """Refuses before or after, changes what goes in or comes out, or lets pass."""

    touches = frozenset({"model", "tool"})

    def __init__(self, does: str = "pass", error: GatewayError = REFUSED) -> None:
        self._does, self._error = does, error

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        if self._does == "before":
            raise self._error
        if self._does == "alone":
            return ToolResult(structured={"mine": True})
        if self._does == "arguments":
            call = msgspec.structs.replace(call, args={"thing": "changed"})
        if self._does == "misfit":
            call = msgspec.structs.replace(call, args={"thing": 5})
        if self._does == "twice":
            await call_next(call, ctx)
        result = await call_next(call, ctx)
        if self._does == "after":
            raise self._error
        return ToolResult(structured={"changed": True}) if self._does == "result" else result

    async def around_model(
        self, ctx: RunContext, request: ModelRequest, call_next: ModelNext, /
    ) -> AsyncIterator[ModelEvent]:
        if self._does == "before":
            raise self._error
        if self._does == "request":
            request = replace(request, system="Something else.")
        if self._does == "twice":
            async for _ in call_next(request):
                pass
        async for event in call_next(request):
            if self._does == "after" and isinstance(event, TurnDone):
                raise self._error
            if self._does == "result" and isinstance(event, TurnDone):
                event = msgspec.structs.replace(event, message=Message("assistant", (Text("changed"),)))
            yield event
            if self._does == "middle":
                raise self._error


def applied(does: str | Passing = "pass", mode: Mode = "enforce", name: str = "sample", when: str = "") -> Applied:
    """The sample, applied to everything."""
    condition = Condition.parse(when, Declarations()) if when else None
    held = does if isinstance(does, Passing) else Sample(does)
    return Applied(name, held, ("*",), ("*",), condition, mode)


def violations(args: dict[str, Any]) -> list[str]:
    """Only texts may be looked up."""
    return [] if isinstance(args.get("thing"), str) else ["thing: it is not a text"]


@dataclass
class Case:
    """One call behind interceptors."""

    interceptors: list[Applied]
    tool: Tool = field(default_factory=Tool)
    listener: Listener = field(default_factory=Listener)

    async def result(self, **keys: Any) -> ToolResult:
        call = tool_chain(self.interceptors, LOOKUP, self.tool, violations)
        return await call(calling(thing="it"), self.listener.call(**keys))


# -- calls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("does", ["before", "after"])
async def test_an_enforced_refusal_is_a_denied_result(does: str) -> None:
    """Code, message, details and whether trying again helps reach the model; the tool is called only if it was."""
    case = Case([applied(does)])
    result = await case.result()
    assert (result.status, result.error) == (
        "denied",
        ErrorInfo("policy_denied", "not on my watch", retryable=True, details={"why": "because"}),
    )
    assert len(case.tool.calls) == (does == "after")
    assert case.listener.decisions == [("sample", "deny", "policy_denied", "enforce")]


@pytest.mark.parametrize("does", ["arguments", "result", "alone", "twice"])
async def test_an_enforced_change_is_counted(does: str) -> None:
    """Whoever changes arguments or results, answers alone, or calls again, is known to have."""
    case = Case([applied(does)])
    await case.result()
    assert case.listener.decisions == [("sample", "change", "changed", "enforce")]


async def test_who_lets_pass_decides_nothing() -> None:
    """The result is the very one of the tool."""
    case = Case([applied()])
    assert await case.result() is case.tool.results[0]
    assert case.listener.decisions == []


async def test_changed_arguments_must_fit_the_tool() -> None:
    """The tool is not called with what its schema does not allow."""
    case = Case([applied("misfit")])
    result = await case.result()
    assert result.error is not None
    assert (result.status, result.error.code, case.tool.calls) == ("denied", "invalid_arguments", [])
    assert "thing: it is not a text" in result.error.message


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("does", ["before", "after", "arguments", "misfit", "result", "alone", "twice"])
async def test_a_watched_interceptor_changes_nothing(does: str, mode: Mode) -> None:
    """The tool is called once, with what the model wrote, and its result comes back; what was found is said."""
    case = Case([applied(does, mode)])
    result = await case.result()
    assert [each.args for each in case.tool.calls] == [{"thing": "it"}]
    warned = {"found": True, "_warnings": [f"sample: {_found(does)}"]} if mode == "warn" else {"found": True}
    assert (result.status, result.structured) == ("ok", warned)
    action, code = ("deny", "policy_denied") if does in ("before", "after") else ("change", "would_change")
    assert case.listener.decisions == [("sample", action, code, mode)]


def _found(does: str) -> str:
    refused = does in ("before", "after")
    return "not on my watch" if refused else "it would have changed the call or its result"


@pytest.mark.parametrize("mode", MODES)
async def test_a_watched_interceptor_that_fails_harms_nothing(mode: Mode) -> None:
    """A policy service that is away is only told of while it is watched."""
    case = Case([applied(Sample("before", ToolError("connection_error", "nobody answers")), mode)])
    result = await case.result()
    assert result.status == "ok"
    assert case.listener.decisions == [("sample", "deny", "connection_error", mode)]


@pytest.mark.parametrize("mode", MODES)
async def test_what_fails_inside_is_not_made_again(mode: Mode) -> None:
    """The failure of an interceptor further in is not that of the one that is watched."""
    inner = applied(Sample("before", ToolError("connection_error", "nobody answers")), name="inner")
    case = Case([applied("pass", mode), inner])
    with pytest.raises(ToolError):
        await case.result()
    assert case.listener.decisions == []


async def test_a_warning_is_a_line_of_a_text() -> None:
    """Results without data are told of in their text, failed ones not at all."""
    texts = Case([applied("after", "warn")], Tool((ToolResult(content=(Text("It is."),)),)))
    assert (await texts.result()).payload == "It is.\n[warning: sample: not on my watch]"
    failure = ToolResult("error", error=ErrorInfo("tool_error", "It broke."))
    assert await Case([applied("after", "warn")], Tool((failure,))).result() == failure


async def test_several_stand_in_the_order_of_the_file() -> None:
    """The first is outermost: what it refuses the others never see, and it sees what they have changed."""
    case = Case([applied("before", name="first"), applied("before", name="second")])
    await case.result()
    assert [each[0] for each in case.listener.decisions] == ["first"]
    case = Case([applied("result", "warn", "first"), applied("arguments", name="second")])
    assert (await case.result()).structured == {
        "found": True,
        "_warnings": ["first: it would have changed the call or its result"],
    }
    assert [each.args for each in case.tool.calls] == [{"thing": "changed"}]


@pytest.mark.parametrize(
    ("when", "applies"),
    [
        ('args.thing == "it"', True),
        ('args.thing == "other"', False),
        ("args.missing > 5", True),
        ('tool.name == "lookup" && tool.read_only', True),
        ("tool.tainted", False),
        ('session.team == "sales"', False),
    ],
)
async def test_conditions(when: str, applies: bool) -> None:
    """A condition that is false lets pass; one that has no answer counts as true."""
    result = await Case([applied("before", when=when)]).result()
    assert (result.status == "denied") == applies


async def test_a_call_without_a_run_is_not_free() -> None:
    """Whoever calls a tool in another way than by a run meets the same policies."""
    call = tool_chain([applied("before", when='session.team == "ops"')], LOOKUP, Tool(), violations)
    result = await call(calling(thing="it"), replace(Listener().call(), within=None))
    assert result.status == "denied"


@pytest.mark.parametrize("mode", ["enforce", *MODES])
async def test_cancellation_reaches_the_tool(mode: Mode) -> None:
    """Nothing of a call goes on that is cancelled."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang(_call: ToolCall, _ctx: ToolContext) -> ToolResult:
        begun.set()
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    call = tool_chain([applied("pass", mode)], LOOKUP, hang, violations)
    task = asyncio.ensure_future(call(calling(thing="it"), Listener().call()))
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    assert (task.cancelled(), ended.is_set()) == (True, True)


# -- turns ------------------------------------------------------------------------------------------------------------


def behind(turn: Turn, *interceptors: Applied) -> ModelCall:
    """The turn behind the interceptors."""
    return model_chain(interceptors, lambda _ctx, request: turn(request))


async def heard(turn: Turn, *interceptors: Applied, listener: Listener | None = None) -> list[ModelEvent]:
    """All that is told of the turn behind the interceptors."""
    ctx = (listener or Listener()).turn()
    return [event async for event in behind(turn, *interceptors)(ctx, asking("Hello?"))]


async def test_a_refusal_before_the_turn_asks_no_model() -> None:
    """The refusal is the answer, and costs nothing."""
    turn, listener = saying("Hello."), Listener()
    events = await heard(turn, applied("before"), listener=listener)
    message = Message("assistant", (Text("not on my watch"),))
    assert events == [
        TextChunk("not on my watch"),
        TurnDone(message, Usage(), "end", "m", replaced=True),
    ]
    assert (turn.asked, listener.decisions) == ([], [("sample", "deny", "policy_denied", "enforce")])


async def test_a_refusal_after_text_was_told_voids_it() -> None:
    """The client is told to discard the text; what the turn took is paid for, so that budgets are not blind."""
    first, again, done = saying("Hello ", "there.").events, Restarted(3, REASON, 0.0, "m"), saying("x").events[-1]
    events = await heard(Turn([TextChunk("Hel"), again, *first]), applied("after"))
    assert events[4] == Restarted(4, ErrorInfo("policy_denied", "not on my watch"), 0.0, "m")
    assert text_of(events) == "not on my watch"
    last = events[-1]
    assert isinstance(last, TurnDone)
    assert isinstance(done, TurnDone)
    assert (last.usage, last.cost, last.stop, last.replaced) == (done.usage, 0.5, "end", True)
    assert last.message.text == "not on my watch"


REASON = ErrorInfo("provider_cut_off", "the turn was cut off")


async def test_a_refusal_when_nothing_stands_restarts_nothing() -> None:
    """What a provider's own restart has voided need not be voided again."""
    turn = Turn([TextChunk("Hel"), Restarted(1, REASON, 0.0, "m"), saying("x").events[-1]])
    events = await heard(turn, applied("after"))
    assert [type(each) for each in events] == [TextChunk, Restarted, TextChunk, TurnDone]


async def test_a_refusal_in_the_middle_closes_the_provider() -> None:
    """Nothing is read on from what nobody will hear."""
    turn = Turn([TextChunk("Hello")], endless=True)
    events = await heard(turn, applied("middle"))
    assert turn.closed
    assert text_of(events) == "not on my watch"


async def test_refused_turns_are_all_paid_for() -> None:
    """An interceptor that has the turn made twice, and then refuses it, has it paid twice."""

    class Picky(Sample):
        """Has it made twice."""

        async def around_model(
            self, ctx: RunContext, request: ModelRequest, call_next: ModelNext, /
        ) -> AsyncIterator[ModelEvent]:
            for _ in range(2):
                async for event in call_next(request):
                    if isinstance(event, TextChunk):
                        yield event
            raise REFUSED

    last = (await heard(saying("Hello."), applied(Picky())))[-1]
    assert isinstance(last, TurnDone)
    assert (last.usage, last.cost) == (Usage(input=20, output=10), 1.0)


@pytest.mark.parametrize("does", ["result", "request", "twice"])
async def test_changed_turns_are_counted(does: str) -> None:
    """Whoever changes the answer, or what is asked, is known to have."""
    listener = Listener()
    events = await heard(saying("Hello."), applied(does), listener=listener)
    assert listener.decisions == [("sample", "change", "changed", "enforce")]
    assert sum(isinstance(each, TurnDone) for each in events) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("does", ["pass", "before", "middle", "after", "result", "request", "twice"])
async def test_a_watched_turn_is_as_it_is(does: str, mode: Mode) -> None:
    """Events are told when they come, and what the interceptor would have done is said when the turn is whole."""
    turn, listener = saying("Hello ", "there."), Listener()
    events = await heard(
        Turn([TextChunk("Hel"), Restarted(1, REASON, 0.0, "m"), *turn.events]), applied(does, mode), listener=listener
    )
    assert events[2:] == list(turn.events)
    action, code = ("change", "would_change") if does in ("result", "request", "twice") else ("deny", "policy_denied")
    assert listener.decisions == ([] if does == "pass" else [("sample", action, code, mode)])


@pytest.mark.parametrize("mode", MODES)
async def test_a_watched_interceptor_that_fails_ends_no_turn(mode: Mode) -> None:
    """A policy service that is away is only told of while it is watched."""
    listener = Listener()
    sample = Sample("after", GatewayError("nobody answers", code="connection_error"))
    events = await heard(saying("Hello."), applied(sample, mode), listener=listener)
    assert text_of(events) == "Hello."
    assert listener.decisions == [("sample", "deny", "connection_error", mode)]


@pytest.mark.parametrize("mode", ["enforce", *MODES])
@pytest.mark.parametrize("end", ["close", "cancel"])
async def test_a_turn_that_nobody_wants_is_closed_at_once(mode: Mode, end: str) -> None:
    """The provider's call is cancelled, though the interceptor does not close what it reads from."""
    turn = Turn([TextChunk("Hello")], endless=True)
    events: Any = behind(turn, applied("pass", mode))(Listener().turn(), asking("Hello?"))
    if end == "close":
        assert await anext(events) == TextChunk("Hello")
        await events.aclose()
    else:
        task = asyncio.ensure_future(_drained(events))
        await turn.begun.wait()
        task.cancel()
        await asyncio.wait([task])
    assert turn.closed


async def _drained(events: AsyncIterator[ModelEvent]) -> None:
    async with aclosing(cast("Any", events)) as source:
        async for _ in source:
            pass


async def test_turns_have_no_tool_and_no_arguments() -> None:
    """A condition about a tool is not true of a turn; one about arguments has no answer, which counts as true."""
    turn = saying("Hello.")
    assert text_of(await heard(turn, applied("before", when='tool.name == "lookup"'))) == "Hello."
    assert text_of(await heard(turn, applied("before", when="args.thing == 5"))) == "not on my watch"
    assert text_of(await heard(turn, applied("before", when='agent.name == "assistant"'))) == "not on my watch"
