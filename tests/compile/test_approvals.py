"""Approvals: which policy decides about a tool, for which agent and under which profile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headgate.compile.approvals import NO_POLICIES, Approvals, Book
from headgate.compile.policies import ApprovalPolicy
from headgate.compile.rulings import Case
from headgate.compile.specs import Agent, Profile
from headgate.core.context import Principal, RunContext, SessionInfo
from headgate.core.ports import Annotations, ToolDefinition
from tests.compile.probes import GATEWAY, SCRIPTED, Bench, done

WITHIN = RunContext("run_1", 2, "helper", SessionInfo("sess_1", "ops", "me"))
WRITE = ToolDefinition("write", "Writes.", {})
READ = ToolDefinition("read", "Reads.", {}, Annotations(read_only=True, destructive=False))


def policy(*tools: str, **keys: object) -> ApprovalPolicy:
    return ApprovalPolicy.model_validate({"tools": list(tools), "decide": "ask", **keys})


def approvals(agent: tuple[str, ...] = (), /, **policies: ApprovalPolicy) -> Approvals:
    """The approvals of an agent that names the policies of `agent`, and has a profile for every other named one."""
    names = [name for name, each in policies.items() if each.apply == "named" and name not in agent]
    profiles = {name: Profile(approvals=(name,)) for name in names}
    return Book(policies).of(Agent(description="Helps.", approvals=agent, profiles=profiles))


def ruled(held: Approvals, tool: ToolDefinition = WRITE) -> tuple[str, str | None]:
    """What becomes of a call, and the name of the policy that says so."""
    ruling = held.ruling(Case(tool, {}, WITHIN))
    return ruling.decide, ruling.policy.name if ruling.policy else None


def test_a_tool_that_no_policy_covers_is_allowed() -> None:
    """Without a policy there is nobody to ask."""
    assert ruled(NO_POLICIES) == ("allow", None)
    assert ruled(approvals(reads=policy("read"))) == ("allow", None)


def test_the_first_match_of_a_layer_decides() -> None:
    """An exception stands before the rule that it is an exception from."""
    held = approvals(reads=policy("read", decide="allow"), rest=policy("*"))
    assert (ruled(held, READ), ruled(held)) == (("allow", "reads"), ("ask", "rest"))


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("allow", "ask", ("ask", "inner")),
        ("ask", "allow", ("ask", "outer")),
        ("deny", "ask", ("deny", "outer")),
        ("ask", "deny", ("deny", "inner")),
        ("ask", "ask", ("ask", "outer")),
        ("allow", "allow", ("allow", "outer")),
    ],
)
def test_across_layers_the_strictest_wins(outer: str, inner: str, expected: tuple[str, str]) -> None:
    """Deny is stricter than ask, and ask than allow; where two layers agree, the outer one is asked."""
    policies = {"outer": policy("*", decide=outer), "inner": policy("write", decide=inner, apply="named")}
    assert ruled(approvals(("inner",), **policies)) == expected
    assert ruled(approvals(**policies).under(["inner"])) == expected


def test_a_named_policy_holds_only_where_it_is_named() -> None:
    """An agent that does not name it, and a run without its profile, are not held."""
    held = approvals(strict=policy("*", apply="named"))
    assert (ruled(held), ruled(held.under(["strict"]))) == (("allow", None), ("ask", "strict"))


def test_policies_are_taken_in_the_order_in_which_the_agent_names_them() -> None:
    """The order of an agent's list decides in its layer, whatever that of the file is."""
    policies = {"first": policy("*", apply="named"), "second": policy("*", apply="named", decide="deny")}
    assert ruled(approvals(("second", "first"), **policies)) == ("deny", "second")
    assert ruled(approvals(("first", "second"), **policies)) == ("ask", "first")


def test_naming_a_policy_of_the_gateway_changes_nothing() -> None:
    """It is no layer of its own: an exception that stands before it in the file still counts."""
    held = approvals(("rest",), reads=policy("read", decide="allow"), rest=policy("*"))
    assert ruled(held, READ) == ("allow", "reads")


def test_profiles_add_up() -> None:
    """With two profiles both hold; an unknown one adds nothing."""
    held = approvals(strict=policy("*", apply="named"), closed=policy("*", apply="named", decide="deny"))
    assert ruled(held.under(["strict", "closed"])) == ("deny", "closed")
    assert held.under(["other"]) is held


def test_what_a_run_has_answered_already_is_never_held() -> None:
    """Reading on in a result is not another call."""
    assert ruled(approvals(rest=policy("*", decide="deny")), replace(READ, name="read_result")) == ("allow", None)


def test_a_policy_says_who_may_answer_and_how_long() -> None:
    """The keys of the manifest arrive in the form that the engine uses."""
    keys = {"approvers": ["ops"], "remember": "session", "timeout": "5m", "on_unknown_outcome": "tell_model"}
    found = approvals(writes=policy("*", **keys)).ruling(Case(WRITE, {}, WITHIN)).policy
    assert found is not None
    assert (found.approvers, found.remember, found.timeout, found.quorum) == (("ops",), True, 300.0, 1)
    assert found.on_unknown_outcome == "tell_model"
    plain = approvals(writes=policy("*")).ruling(Case(WRITE, {}, WITHIN)).policy
    assert plain is not None
    assert (plain.approvers, plain.remember, plain.timeout, plain.on_unknown_outcome) == ((), False, 7200.0, None)


def test_an_unknown_outcome_is_asked_about_when_the_tool_is_destructive() -> None:
    """Without a policy that says so, the annotations decide; who might have approved the call is asked."""
    assert NO_POLICIES.unknown_outcome(Case(WRITE, {}, WITHIN)) == ("ask", None)
    assert NO_POLICIES.unknown_outcome(Case(READ, {}, WITHIN)) == ("tell_model", None)
    held = approvals(writes=policy("*"))
    assert held.unknown_outcome(Case(WRITE, {}, WITHIN)) == ("ask", held.ruling(Case(WRITE, {}, WITHIN)).policy)
    assert approvals(writes=policy("*", decide="allow")).unknown_outcome(Case(WRITE, {}, WITHIN)) == ("ask", None)


def test_the_first_policy_that_states_it_decides_about_an_unknown_outcome() -> None:
    """It need not be the one that decides about the call; across the layers asking is stricter."""
    held = approvals(
        ("inner",),
        writes=policy("write"),
        recovery=policy("*", decide="allow", on_unknown_outcome="tell_model"),
        inner=policy("*", apply="named", on_unknown_outcome="ask"),
    )
    for tool in (WRITE, READ):
        decided, by = held.unknown_outcome(Case(tool, {}, WITHIN))
        assert (decided, by and by.name) == ("ask", "inner")


POLICIES = """
[approvals.writes]
tools = ["first"]
decide = "ask"
[approvals.strict]
tools = ["*"]
decide = "deny"
apply = "named"
"""
AGENT = '---\ndescription: Helps.\ntools: ["*"]\nprofiles: {careful: {approvals: [strict]}}\n---\nYou help.\n'


async def test_a_plan_has_the_approvals_of_its_agent(bench: Bench) -> None:
    """They are folded with the plan, and a profile of the request or of the key tightens them."""
    bench.write({"gateway.toml": GATEWAY + SCRIPTED + POLICIES, "agents/helper.md": AGENT})
    snapshot = await bench.build()
    plan = snapshot.agents["helper"]
    first, second = plan.definitions
    me = Principal("me", "ops", "", frozenset({"chat"}))
    assert (ruled(plan.approvals, first), ruled(plan.approvals, second)) == (("ask", "writes"), ("allow", None))
    for careful in (plan.shaped(me, None, "careful"), plan.shaped(replace(me, profile="careful"), None, None)):
        assert ruled(careful.approvals, second) == ("deny", "strict")
    await done(snapshot)


async def test_a_policy_takes_effect_with_the_next_revision(bench: Bench) -> None:
    """An edit of a policy opens nothing anew."""
    live = await bench.build()
    bench.read()
    bench.write({"gateway.toml": GATEWAY + SCRIPTED + POLICIES.replace('"named"', '"all"')})
    after = await bench.build(live)
    assert ruled(after.agents["helper"].approvals, replace(WRITE, name="second")) == ("deny", "strict")
    assert bench.read() == []
    await done(after)
