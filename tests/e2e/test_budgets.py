"""Budgets in USD and in tokens end the run after the turn that reaches them, and never let one go on blindly."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.testing.harness import Events
from tests.conftest import Tree
from tests.e2e.stage import MODEL, MODELS, REMOTE, adding, kinds, replies, saying, staged

NOTE = "\n\n[Budget limit reached: {tokens} >= {budget} tokens]"


def texts(events: Events) -> list[str]:
    """What was said, the limit's note included."""
    return [event["text"] for event in events if event["type"] == "text_delta"]


@pytest.mark.parametrize("kind", REMOTE)
async def test_tokens(tree: Tree, kind: str) -> None:
    """The turn that reaches the budget is the last: its calls are not made, and a note says why."""
    async with staged(tree, model=MODELS[kind], budget_tokens=15) as stage:
        stage.cue(kind, adding(kind))
        session = await stage.gateway.session()
        events = await session.say("hi")
        stage.cue(kind, saying(kind, "ok"))
        await session.say("go on")
        run = await stage.gateway.gateway.edge.host.ledger.run((await session_runs(stage, session.id))[0])
    assert kinds(events)[-2:] == ["text_delta", "stream_complete"]
    assert "budget_exceeded" not in kinds(events)
    assert "tool_call_start" not in kinds(events)
    assert texts(events)[-1] == NOTE.format(tokens=15, budget=15)
    assert run is not None
    assert (run.state, run.outcome) == ("completed", "budget")
    assert "Budget limit" not in str(stage.mock(kind).requests[-1].body)


async def session_runs(stage: Any, session: str) -> list[str]:
    """The ids of the runs of a session, oldest first."""
    return [each.run_id for each in await stage.gateway.gateway.edge.host.ledger.conversation(session)]


async def test_tokens_of_all_classes(tree: Tree) -> None:
    """What is written to and read from a cache counts, over all turns; below the budget nothing ends."""
    usage = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 30}
    made = replies("anthropic")
    turns = [made.turn(made.tool("add", {"a": n, "b": n}), usage=usage) for n in range(3)]
    async with staged(tree, model="claude/auto", budget_tokens=131) as stage:
        stage.cue("anthropic", *turns)
        events = await (await stage.gateway.session()).say("hi")
    assert kinds(events).count("tool_call_complete") == 2
    assert texts(events) == [NOTE.format(tokens=195, budget=131)]


async def test_a_profile_s_budget(tree: Tree) -> None:
    """A profile gives a budget to an agent that has none, and tightens one that it has; scripts count words."""
    keys: dict[str, Any] = {"budget_tokens": 1000, "profiles": {"careful": {"budget_tokens": 2}}}
    async with staged(tree, **keys) as stage:
        session = await stage.gateway.session()
        free = await session.say("hi")
        careful = await session.say("hi", context={"profile": "careful"})
        (agent,) = await stage.gateway.get("/v1/agents")
    assert kinds(free) == ["text_delta", "stream_complete"]
    assert texts(careful)[-1].endswith(">= 2 tokens]")
    assert agent["budget_tokens"] == 1000


@pytest.mark.parametrize("kind", REMOTE)
async def test_dollars_of_all_classes(tree: Tree, kind: str) -> None:
    """Cache classes are priced by the manifest's prices, and the cheapest classes reach a budget, too."""
    table = f'prices = {{"{MODEL}" = {{input = 1000.0, output = 2000.0, cache_read = 100.0, cache_write = 1250.0}}}}'
    usage = {
        "anthropic": {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 100},
        "openai": {"input_tokens": 110, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 100}},
        "openai_chat": {
            "prompt_tokens": 110, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 100}
        },
    }  # fmt: skip
    made = replies(kind)
    async with staged(tree, more=table, model=MODELS[kind], budget_usd=0.03) as stage:
        stage.cue(kind, made.turn(made.text("ok"), usage=usage[kind]))
        events = await (await stage.gateway.session()).say("hi")
    assert kinds(events) == ["text_delta", "budget_exceeded", "text_delta", "stream_complete"]
    assert events[1] == {"type": "budget_exceeded", "total_cost": 0.03, "budget": 0.03}
    assert events[-1]["usage"]["cache_read_input_tokens"] == 100


@pytest.mark.parametrize("keys", [{"budget_usd": 0.5}, {"budget_tokens": 500}])
async def test_no_budget_without_counts(tree: Tree, keys: dict[str, Any]) -> None:
    """A server that does not say what it used cannot be kept within a budget, so the run ends."""
    made = replies("openai_chat")
    async with staged(tree, model="chat/auto", **keys) as stage:
        stage.cue("openai_chat", made.turn(made.text("ok"), usage=None))
        events = await (await stage.gateway.session()).say("hi")
    assert events[-1]["error"].startswith("usage_unknown: ")


async def test_a_model_that_only_a_glob_allows(tree: Tree) -> None:
    """A model without a price, of which the compiler could not know, ends the run of an agent with a budget."""
    async with staged(tree, more='allow_models = ["*"]', model="claude/auto", budget_usd=0.5) as stage:
        session = await stage.gateway.session()
        priced = await session.say("hi")
        events = await session.say("hi", model="claude-unheard-of")
    assert kinds(priced)[-1] == "stream_complete"
    assert events[-1]["error"].startswith("price_unknown: ")
