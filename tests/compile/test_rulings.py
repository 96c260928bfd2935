"""Conditions, qualifiers and modes of policies: what becomes of one call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headgate.compile.approvals import Approvals, Book
from headgate.compile.policies import ApprovalPolicy
from headgate.compile.rulings import Case, Ruling
from headgate.compile.specs import Agent
from headgate.core.context import RunContext, SessionInfo
from headgate.core.ports import Annotations, ToolDefinition

PAY = ToolDefinition("pay", "Pays.", {"properties": {"amount": {"type": "number"}}})
READ = ToolDefinition("read", "Reads.", {}, Annotations(read_only=True, destructive=False))
WITHIN = RunContext("run_1", 2, "helper", SessionInfo("sess_1", "ops", "me"), turn=3, cost=0.5, depth=1)
FAILING = 'args.missing == "x"'


def policy(**keys: Any) -> ApprovalPolicy:
    return ApprovalPolicy.model_validate({"tools": ["*"], "decide": "ask", **keys})


def approvals(**policies: ApprovalPolicy) -> Approvals:
    """The approvals of an agent that names every policy with apply = "named"."""
    named = tuple(name for name, each in policies.items() if each.apply == "named")
    return Book(policies).of(Agent(description="Helps.", approvals=named))


def judged(
    held: Approvals, args: dict[str, Any] | None = None, tool: ToolDefinition = PAY, within: RunContext = WITHIN
) -> tuple[str, str | None]:
    """What becomes of the call, and the name of the policy that says so."""
    ruling = held.ruling(Case(tool, args or {}, within))
    return ruling.decide, ruling.policy.name if ruling.policy else None


@pytest.mark.parametrize(
    "when",
    [
        "args.amount > 100.0",
        'tool.name == "pay" && tool.destructive && !tool.tainted',
        'agent.name == "helper"',
        'session.team == "ops" && session.key == "me" && session.id == "sess_1" && session.channel == ""',
        "run.turn == 3 && run.cost_usd == 0.5 && run.depth == 1",
        'now > timestamp("2024-01-01T00:00:00Z")',
    ],
)
def test_what_conditions_know(when: str) -> None:
    """A condition may ask about the tool, its arguments, the agent, the session, the run, and the time."""
    assert judged(approvals(some=policy(when=when)), {"amount": 200.0}) == ("ask", "some")
    assert judged(approvals(some=policy(when=f"!({when})")), {"amount": 200.0}) == ("allow", None)


def test_a_policy_whose_condition_is_false_is_passed_over() -> None:
    """The next policy of the layer decides then."""
    held = approvals(large=policy(when="args.amount > 100.0", decide="deny"), rest=policy())
    assert judged(held, {"amount": 101.0}) == ("deny", "large")
    assert judged(held, {"amount": 100.0}) == ("ask", "rest")


def test_a_tainted_run() -> None:
    """What the run has read may decide."""
    held = approvals(tainted=policy(when="tool.tainted && !tool.read_only", decide="deny"))
    tainted = replace(WITHIN, tainted=True)
    assert (judged(held), judged(held, within=tainted)) == (("allow", None), ("deny", "tainted"))
    assert judged(held, tool=READ, within=tainted) == ("allow", None)


@pytest.mark.parametrize(
    ("decide", "expected"), [("deny", ("deny", "some")), ("ask", ("ask", "some")), ("allow", ("deny", "rest"))]
)
def test_a_condition_that_fails(decide: str, expected: tuple[str, str]) -> None:
    """It counts as true for what holds or refuses, and as false for what lets pass."""
    assert judged(approvals(some=policy(when=FAILING, decide=decide), rest=policy(decide="deny"))) == expected


def test_conditions_of_several_layers() -> None:
    """The strictest of those that are about the call wins."""
    held = approvals(outer=policy(), inner=policy(apply="named", decide="deny", when="args.amount > 100.0"))
    assert judged(held, {"amount": 1.0}) == ("ask", "outer")
    assert judged(held, {"amount": 101.0}) == ("deny", "inner")


def test_a_condition_and_an_unknown_outcome() -> None:
    """Only policies that are about the call say what happens then; one that fails counts for asking."""
    says = {"decide": "allow", "on_unknown_outcome": "ask"}
    held = approvals(some=policy(when="args.amount > 100.0", **says))
    assert held.unknown_outcome(Case(READ, {"amount": 1.0}, WITHIN)) == ("tell_model", None)
    for args in ({"amount": 101.0}, {}):
        assert held.unknown_outcome(Case(READ, args, WITHIN))[0] == "ask"
    mild = approvals(some=policy(when=FAILING, on_unknown_outcome="tell_model"))
    assert mild.unknown_outcome(Case(PAY, {}, WITHIN))[0] == "ask"


# -- qualifiers ------------------------------------------------------------------------------------------------------


def qualified(ruling: Ruling) -> tuple[str | None, bool]:
    """The qualifier, and whether an answer may be remembered for it."""
    assert ruling.policy is not None
    return ruling.qualifier, ruling.policy.remembers(ruling.qualifier)


def test_a_qualifier() -> None:
    """It is resolved for the call; without an answer, or with an empty one, nothing can be remembered."""
    held = approvals(some=policy(qualifier="args.account", remember="session"))
    for args, expected in (
        ({"account": "4711"}, ("4711", True)),
        ({"account": ""}, (None, False)),
        ({"account": 4711}, (None, False)),
        ({}, (None, False)),
    ):
        assert qualified(held.ruling(Case(PAY, args, WITHIN))) == expected
    assert qualified(approvals(some=policy(remember="session")).ruling(Case(PAY, {}, WITHIN))) == (None, True)
    assert qualified(approvals(some=policy(qualifier="agent.name")).ruling(Case(PAY, {}, WITHIN))) == ("helper", False)


# -- modes -----------------------------------------------------------------------------------------------------------


def watched(held: Approvals) -> list[str]:
    """The names of the policies that would have been stricter."""
    return [each.name for each in held.ruling(Case(PAY, {}, WITHIN)).watched]


@pytest.mark.parametrize("mode", ["warn", "audit"])
def test_a_policy_that_does_not_count(mode: str) -> None:
    """It is passed over, and named where it would have been stricter than what counts."""
    asking, refusing = policy(mode=mode), policy(mode=mode, decide="deny")
    held = approvals(one=asking, two=refusing)
    assert (judged(held), watched(held)) == (("allow", None), ["one", "two"])
    held = approvals(one=asking, two=refusing, three=policy())
    assert (judged(held), watched(held)) == (("ask", "three"), ["two"])
    assert watched(approvals(first=policy(decide="allow"), behind=refusing)) == []
    assert watched(approvals(never=policy(mode=mode, when="false"))) == []
    assert approvals(one=policy(mode=mode, on_unknown_outcome="ask")).unknown_outcome(Case(READ, {}, WITHIN))[1] is None
