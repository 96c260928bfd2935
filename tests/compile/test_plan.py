"""Plans: who gets which tools, limits and models."""

from __future__ import annotations

import pytest

from headgate.compile.plan import AgentPlan
from headgate.core.context import Principal, RunContext, SessionInfo
from headgate.core.errors import NotFound
from headgate.core.messages import Message, Text
from headgate.core.ports import ModelRequest, Restarted, TurnDone
from tests.compile.probes import GATEWAY, SCRIPTED, Bench, done

SHAPED = """---
description: Helps.
tools: ["*"]
timeout: 10m
channels: {slack: {append: In three lines., tools_deny: [first]}}
profiles:
  careful: {append: Be careful., tools_deny: ["sec*"], max_turns: 5, timeout: 1m, budget_usd: 0.5}
  quick: {max_turns: 2, timeout: 2m}
---
You help.
"""


def _principal(**keys: object) -> Principal:
    return Principal("me", "ops", "", frozenset({"chat"}), **keys)  # type: ignore[arg-type]


async def _plan(bench: Bench, agent: str = SHAPED, gateway: str = "") -> AgentPlan:
    bench.write({"agents/helper.md": agent, "gateway.toml": GATEWAY + SCRIPTED + gateway})
    snapshot = await bench.build()
    await done(snapshot)
    return snapshot.agents["helper"]


async def test_a_caller_without_shape_gets_the_plan_itself(bench: Bench) -> None:
    """Nothing is copied for the common case; an unknown channel changes nothing."""
    plan = await _plan(bench)
    assert plan.shaped(_principal(), "mail", None) is plan


async def test_a_channel_shapes_tools_and_prompt(bench: Bench) -> None:
    """Denied tools are not offered, and the text is added to the prompt."""
    shaped = (await _plan(bench)).shaped(_principal(), "slack", None)
    assert list(shaped.tools) == ["second"]
    assert shaped.prompt.render({}) == "You help.\n\nIn three lines."


async def test_a_profile_tightens_limits(bench: Bench) -> None:
    """A profile's limits take the place of the agent's."""
    shaped = (await _plan(bench)).shaped(_principal(), "slack", "careful")
    assert (shaped.spec.max_turns, shaped.spec.timeout, shaped.spec.budget_usd) == (5, 60.0, 0.5)
    assert shaped.tools == {}


async def test_a_requested_profile_does_not_loosen_that_of_the_key(bench: Bench) -> None:
    """Both profiles apply: the stricter limit of each wins, and what either denies is denied."""
    shaped = (await _plan(bench)).shaped(_principal(profile="careful"), None, "quick")
    assert (shaped.spec.max_turns, shaped.spec.timeout, list(shaped.tools)) == (2, 60.0, ["first"])


async def test_a_profile_does_not_exceed_the_limits_of_the_gateway(bench: Bench) -> None:
    """The gateway's limit on turns holds for profiles too."""
    plan = await _plan(bench, gateway="[limits]\nturns = 3\n")
    assert plan.spec.max_turns == 3
    assert plan.shaped(_principal(), None, "careful").spec.max_turns == 3


async def test_a_key_narrows_the_tools(bench: Bench) -> None:
    """The globs of a key cover what its holder's runs may call."""
    shaped = (await _plan(bench)).shaped(_principal(tools=("sec*",)), None, None)
    assert list(shaped.tools) == ["second"]


async def test_agents_name_tools_by_glob_and_by_name(bench: Bench) -> None:
    """Only `*` is a wildcard; a plain name covers itself alone."""
    plan = await _plan(bench, "---\ndescription: Helps.\ntools: [first, 's*']\n---\n")
    assert list(plan.tools) == ["first", "second"]
    assert [each.name for each in plan.definitions] == ["first", "second"]


async def test_arguments_are_checked_against_the_schema(bench: Bench) -> None:
    """A violation is said in words that name the argument."""
    schema = "{type: object, properties: {n: {type: integer}}, required: [n]}"
    bench.write({"tools/first.yaml": f"kind: probe\ndescription: A probe.\ninput: {schema}\n"})
    check = (await _plan(bench)).tools["first"].violations
    assert (check({"n": 1}), check({"n": "x"})) == ([], ["n: 'x' is not of type 'integer'"])
    assert check({}) == ["'n' is a required property"]


CHAIN = """
[providers.default]
kind = "scripted"
turns = [{error = 529}]
retry = {max = 0}
allow_models = ["scripted", "small", "big-*"]
fallback = ["second"]
[providers.second]
kind = "scripted"
turns = [{error = 529}, {error = 529}]
retry = {max = 0}
fallback = ["last"]
[providers.third]
kind = "scripted"
turns = [{error = 529}, {error = 529}, {text = "From the third."}]
[models.last]
provider = "third"
model = "tiny"
[models.default]
provider = "default"
"""


async def test_fallbacks_of_fallbacks_are_one_chain(bench: Bench) -> None:
    """Each provider's own fallbacks follow it, in order, until one answers."""
    bench.write({"gateway.toml": GATEWAY + CHAIN, "agents/helper.md": "---\ndescription: Helps.\n---\n"})
    snapshot = await bench.build()
    choice = snapshot.agents["helper"].choice
    request = ModelRequest(choice.model, "", (Message("user", (Text("Hi"),)),))
    within = RunContext("run_1", 1, "helper", SessionInfo("sess_1", "ops", "me"))
    events = [event async for event in choice.stream(within, request)]
    assert [each.model for each in events if isinstance(each, Restarted)] == ["scripted", "tiny"]
    assert isinstance(events[-1], TurnDone)
    assert events[-1].message.text == "From the third."
    await done(snapshot)


async def test_a_request_may_ask_for_what_the_allow_list_has(bench: Bench) -> None:
    """Names of the list and of the agent are offered, globs of the list cover more, anything else is refused."""
    bench.write({"gateway.toml": GATEWAY + CHAIN})
    bench.write({"agents/helper.md": "---\ndescription: Helps.\nmodel: default\nfallback: [last]\n---\n"})
    snapshot = await bench.build()
    models = snapshot.agents["helper"].models
    assert sorted(models) == ["default", "last", "scripted", "small", "tiny"]
    assert models["big-7"].model == "big-7"
    assert models.get("huge") is None
    await done(snapshot)


async def test_a_tree_with_one_agent_needs_no_default(bench: Bench) -> None:
    """Callers that name no agent get the only one; an agent that the caller may not see does not exist."""
    snapshot = await bench.build()
    assert snapshot.agent_for(_principal(), None) == "helper"
    with pytest.raises(NotFound):
        snapshot.agent_for(_principal(agents=("other",)), "helper")
    await done(snapshot)
