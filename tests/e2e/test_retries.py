"""Providers that are busy, break off, go silent or die: the chat goes on or ends cleanly, and nothing is said twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.core.events import AttemptStarted
from headgate.testing.harness import spoken
from tests.conftest import Tree
from tests.e2e.stage import MODELS, REMOTE, SPOKEN, adding, kinds, overloaded, refused, saying, staged

ANSWER = ("It is ", "3 and 7.")


def faults(kind: str) -> dict[str, list[Any]]:
    """What may happen before a turn is whole, by name."""
    whole, after = saying(kind, *ANSWER), SPOKEN[kind]
    return {
        "rate limits": [refused(kind, 429, retry_after="0") for _ in range(4)],
        "overload": [refused(kind, 529, retry_after_ms="1") for _ in range(4)],
        "cut": [whole.cut(after), whole.cut(after), whole.cut(after + 1)],
        "short": [whole.short(after), whole.short(after + 1)],
        "stall": [whole.stalled(after)],
        "no answer": [whole.cut(0)],
        "overload in the stream": [overloaded(kind, *ANSWER), overloaded(kind, ANSWER[0])],
        "everything": [refused(kind, 503), whole.cut(after), overloaded(kind, *ANSWER), refused(kind, 429)],
    }


@pytest.mark.parametrize("kind", REMOTE)
async def test_a_turn_is_made_again(tree: Tree, kind: str) -> None:
    """Faults in the turn after a tool call cost a retry each, which is told; the client is left with one answer, and
    each tool was called once."""
    async with staged(tree, model=MODELS[kind], thinking="low") as stage:
        for fault, broken in faults(kind).items():
            asked = len(stage.mock(kind).requests)
            stage.cue(kind, adding(kind), *broken, saying(kind, *ANSWER))
            session = await stage.gateway.session()
            events = await session.say("hi")
            (exchange,) = await stage.gateway.gateway.edge.host.ledger.conversation(session.id)
            assert spoken(events) == "Adding. It is 3 and 7." == exchange.answer, fault
            retries = [each["attempt"] for each in events if each["type"] == "stream_retry"]
            assert retries == list(range(len(broken))), fault
            assert (kinds(events).count("tool_call_complete"), kinds(events)[-1]) == (2, "stream_complete"), fault
            assert len(stage.mock(kind).requests) == asked + 2 + len(broken), fault


@pytest.mark.parametrize("kind", REMOTE)
async def test_what_a_broken_turn_said_is_void(tree: Tree, kind: str) -> None:
    """A turn that changes its words when it is made again is answered with the last ones alone, later too."""
    async with staged(tree, model=MODELS[kind]) as stage:
        stage.cue(kind, saying(kind, "Never ", "mind").cut(SPOKEN[kind]), saying(kind, "Yes."))
        session = await stage.gateway.session()
        events = await session.say("hi")
        stage.cue(kind, saying(kind, "Bye."))
        await session.say("bye")
    assert kinds(events) == ["text_delta", "stream_retry", "text_delta", "stream_complete"]
    assert "Never" not in str(stage.mock(kind).requests[-1].body)


@pytest.mark.parametrize(
    ("kind", "spare"), [("anthropic", "openai"), ("openai", "anthropic"), ("openai_chat", "openai")]
)
async def test_another_takes_over_in_the_middle(tree: Tree, kind: str, spare: str) -> None:
    """A provider that breaks off after its calls and then refuses for good is followed by the agent's fallback, which
    knows of the calls."""
    dead = [saying(kind, *ANSWER).cut(SPOKEN[kind]), *(refused(kind, 529) for _ in range(4))]
    async with staged(tree, model=MODELS[kind], fallback=[MODELS[spare]], thinking="low") as stage:
        stage.cue(kind, adding(kind), *dead)
        stage.cue(spare, saying(spare, "3 and 7."))
        events = await (await stage.gateway.session()).say("hi")
    assert spoken(events) == "Adding. 3 and 7."
    assert kinds(events).count("stream_retry") == 5
    assert f"{kind}_3" in str(stage.mock(spare).requests[-1].body)


async def test_a_provider_that_is_gone(tree: Tree) -> None:
    """A server that does not listen any more is as good as one that refuses."""
    async with staged(tree, model="claude/auto", fallback=["gpt/auto"]) as stage:
        session = await stage.gateway.session()
        await session.say("hi")
        await stage.claude.__aexit__()
        events = await session.say("still there?")
    assert spoken(events) == "Hello there"
    assert {event["error"].partition(":")[0] for event in events if event["type"] == "stream_retry"} == {
        "provider_connection"
    }


async def test_everybody_is_dead(tree: Tree) -> None:
    """When the last candidate fails the stream ends with one error, which names neither keys nor servers; the next
    chat of the session is as good as ever."""
    async with staged(tree, model="claude/auto", fallback=["gpt/auto", "chat/auto"]) as stage:
        stage.cue("anthropic", *(refused("anthropic", 529) for _ in range(5)))
        stage.cue("openai", *(refused("openai", 503) for _ in range(9)), overloaded("openai", "Half "))
        session = await stage.gateway.session()
        events = await session.say("hi")
        again = await session.say("and now?")
        assert not stage.gateway.gateway.edge.host.runs
    assert kinds(events) == ["stream_retry"] * 14 + ["text_delta", "error"]
    assert events[-1]["error"].startswith("provider_overloaded: ")
    assert "sk-test" not in str(events)
    assert kinds(again)[-1] == "stream_complete"


@pytest.mark.parametrize("kind", REMOTE)
async def test_the_provider_says_when(tree: Tree, kind: str) -> None:
    """The pause before a retry is the one that the provider asks for, as a number or in milliseconds."""
    async with staged(tree, model=MODELS[kind]) as stage:
        stage.cue(kind, refused(kind, 429, retry_after="0.01"), refused(kind, 529, retry_after_ms="20"))
        stage.cue(kind, saying(kind, *ANSWER).stalled(SPOKEN[kind]))
        talk = asyncio.create_task((await stage.gateway.session()).say("hi"))
        await stage.mock(kind).arrived(3)
        (run,) = stage.gateway.gateway.edge.host.runs.values()
        delays = [event.delay for event in run.log.events if isinstance(event, AttemptStarted)]
        stage.mock(kind).release()
        assert spoken(await talk) == "It is 3 and 7."
    assert delays == [0.01, 0.02]


async def test_a_bad_request_is_not_made_again(tree: Tree) -> None:
    """What is wrong with the request itself is wrong everywhere: no retry, no fallback, one error."""
    async with staged(tree, model="claude/auto", fallback=["gpt/auto"]) as stage:
        stage.cue("anthropic", refused("anthropic", 400))
        events = await (await stage.gateway.session()).say("hi")
    assert kinds(events) == ["error"]
    assert (len(stage.claude.requests), len(stage.gpt.requests)) == (1, 0)
