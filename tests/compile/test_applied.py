"""Interceptors around calls: enforced, warned about, only counted; in order; under conditions."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from headgate.compile import rulings
from headgate.compile.applied import Applied, tool_chain
from headgate.core.context import Mode, ToolContext
from headgate.core.errors import ToolError
from headgate.core.messages import ErrorInfo, Text, ToolCall, ToolResult
from headgate.testing.interceptor_kit import LOOKUP, Listener, Tool, calling
from tests.compile.applying import MODES, Sample, applied


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


# -- one case for all conditions --------------------------------------------------------------------------------------

SEEN = 'args.thing == "changed"'


async def cases_of(*interceptors: Applied, given: rulings.Case) -> list[object]:
    """How the innermost call is seen behind these, when it came in as given."""
    seen: list[object] = []

    async def innermost(_call: ToolCall, ctx: ToolContext) -> ToolResult:
        seen.append(ctx.case)
        return ToolResult()

    chain = tool_chain(interceptors, LOOKUP, innermost, violations)
    await chain(calling(thing="it"), replace(Listener().call(), case=given))
    return seen


async def test_facts_are_converted_once() -> None:
    """All conditions, those of approvals too, are asked about the same case."""
    given = rulings.Case(LOOKUP, {"thing": "it"}, Listener().turn())
    assert await cases_of(applied(when="args.thing == 'no'"), applied(when="tool.read_only"), given=given) == [given]
    assert "activation" in vars(given)


async def test_changed_arguments_are_another_case() -> None:
    """Whoever stands behind an interceptor that changes arguments is asked about those; who stands before it is not."""
    given = rulings.Case(LOOKUP, {"thing": "it"}, Listener().turn())
    inner = applied("before", name="inner", when=SEEN)
    assert await cases_of(applied("arguments", name="outer"), inner, given=given) == []
    assert len(await cases_of(inner, applied("arguments", name="outer"), given=given)) == 1
    (seen,) = await cases_of(applied("arguments"), applied(when=SEEN), given=given)
    assert seen is not given


async def test_a_case_of_other_arguments_is_not_believed() -> None:
    """What conditions are asked about is the call that is made."""
    given = rulings.Case(LOOKUP, {"thing": "changed"}, Listener().turn())
    assert len(await cases_of(applied("before", when=SEEN), given=given)) == 1
