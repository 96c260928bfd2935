"""One conversation over all four providers: clients cannot tell them apart, and may change between them."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.testing.harness import Events, spoken
from tests.conftest import Tree
from tests.e2e.stage import MODELS, REMOTE, Stage, adding, saying, staged

SCRIPT = """
- thinking: I add.
  text: "Adding. "
  calls: [{call: add, args: {a: 1, b: 2}}, {call: add, args: {a: 3, b: 4}}]
- {text: "It is 3 and 7."}
"""
QUESTION = "1+2 and 3+4?"


def answer(kind: str) -> tuple[Any, ...]:
    """The turns of a run: thinking, text and two calls, then the answer."""
    return (adding(kind), saying(kind, "It ", "is ", "3 ", "and ", "7."))


def normal(events: Events) -> Events:
    """The events without what may differ: the ids and durations of calls, the order in which they end, and usage."""
    ids = [event["tool_call_id"] for event in events if event["type"] == "tool_call_start"]
    out = [{key: value for key, value in event.items() if key not in ("duration_ms", "usage")} for event in events]
    for event in out:
        if "tool_call_id" in event:
            event["tool_call_id"] = ids.index(event["tool_call_id"])
    ended = iter(sorted((each for each in out if "result" in each), key=lambda each: int(each["tool_call_id"])))
    return [next(ended) if "result" in event else event for event in out]


def called(index: int, a: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """How a call begins and ends."""
    return (
        {
            "type": "tool_call_start", "tool_call_id": index, "tool_name": "add", "tool_input": {"a": a, "b": a + 1},
            "execution_location": "backend", "call_index": index,
        },
        {
            "type": "tool_call_complete", "tool_call_id": index, "tool_name": "add", "result": {"sum": a + a + 1},
            "error": None, "server": None,
        },
    )  # fmt: skip


FIRST, SECOND = called(0, 1), called(1, 3)
EVENTS = [
    *({"type": "thinking_delta", "text": word} for word in ("I ", "add.")),
    {"type": "text_delta", "text": "Adding. "},
    FIRST[0], SECOND[0], FIRST[1], SECOND[1],
    *({"type": "text_delta", "text": word} for word in ("It ", "is ", "3 ", "and ", "7.")),
    {"type": "stream_complete"},
]  # fmt: skip


@pytest.mark.parametrize("kind", MODELS)
async def test_the_same_events(tree: Tree, kind: str) -> None:
    """Whoever plays the agent, two chats of a session consist of the same events, word for word."""
    async with staged(tree, script=SCRIPT, model=MODELS[kind], thinking="low") as stage:
        session = await stage.gateway.session()
        for _ in range(2):
            stage.cue(kind, *answer(kind))
            events = await session.say(QUESTION)
            assert normal(events) == EVENTS
            assert set(events[-1]["usage"]) == {
                "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
                "estimated_cost",
            }  # fmt: skip


async def test_a_request_changes_the_provider(tree: Tree) -> None:
    """A session whose requests name another model each time keeps its history, calls and results included."""
    order = [*REMOTE, "scripted", "anthropic", "openai", "openai_chat"]
    keys = {"model": "claude/auto", "fallback": ["gpt/auto", "chat/auto", "default/auto"], "thinking": "low"}
    async with staged(tree, script=SCRIPT, **keys) as stage:
        session = await stage.gateway.session()
        for past, kind in enumerate(order):
            stage.cue(kind, *answer(kind))
            assert normal(await session.say(QUESTION, model=MODELS[kind])) == EVENTS
            if kind in REMOTE:
                told = str(stage.mock(kind).requests[-1].body)
                assert told.count(QUESTION) == past + 1
        assert len(stage.claude.requests) + len(stage.gpt.requests) == 12
        assert sum(part["type"] == "tool_result" for part in parts(stage)) == 10


def parts(stage: Stage) -> list[dict[str, Any]]:
    """The content blocks of Claude's last request."""
    return [part for message in stage.claude.requests[-1].body["messages"] for part in message["content"]]


async def test_a_reload_changes_the_provider(tree: Tree) -> None:
    """An alias that is edited sends the next chat of a session to another provider, with what was said before."""
    alias = '[models.main]\nprovider = "claude"\n'
    async with staged(tree, toml=alias, model="main", thinking="low") as stage:
        session = await stage.gateway.session()
        stage.cue("anthropic", *answer("anthropic"))
        assert normal(await session.say(QUESTION)) == EVENTS
        toml = (stage.gateway.root / "gateway.toml").read_text().replace(alias, alias.replace("claude", "gpt"))
        stage.gateway.edit("gateway.toml", toml)
        assert (await stage.gateway.reload())["status"] == "applied"
        stage.cue("openai", saying("openai", "As I said: 3 and 7."))
        assert spoken(await session.say("sure?")) == "As I said: 3 and 7."
    sent = stage.gpt.requests[0].body["input"]
    kinds = [item.get("type", item.get("role")) for item in sent]
    assert kinds.count("function_call") == kinds.count("function_call_output") == 2
    assert len(stage.claude.requests) == 2
