"""One conversation on every provider: the same events from all, and a change of provider in its middle."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from headgate.core.messages import Message, Text, Thinking, ToolCall, ToolOutcome, ToolResult
from headgate.core.ports import ModelEvent, Provider, TextChunk, ThinkingChunk, TurnDone
from headgate.testing import anthropic_replies, openai_replies
from headgate.testing.anthropic_api import AnthropicApi
from headgate.testing.openai_api import OpenAiApi
from tests.providers.conftest import Open
from tests.providers.samples import TOOL, ask, play, user

CALLS = (("lookup", {"q": "ACME"}), ("lookup", {"q": "Zürich"}))
MODEL = "gpt-6-sol"
SCRIPT = [
    {
        "thinking": "Let me see.",
        "text": "One moment. ",
        "calls": [{"call": name, "args": args} for name, args in CALLS],
    },
    {"text": "ACME is on gold."},
]


def scripted(replies: Any) -> list[Any]:
    """The replies of a mock: thinking, text and two parallel calls, then the answer."""
    thought, said = replies.thinking("Let ", "me ", "see."), replies.text("One ", "moment. ")
    calls = [replies.tool(name, args) for name, args in CALLS]
    return [replies.turn(thought, said, *calls), replies.turn(replies.text("ACME ", "is ", "on ", "gold."))]


@dataclass(frozen=True)
class Cast:
    """A provider of every kind, and the mocks behind them."""

    providers: dict[str, Provider]
    anthropic: AnthropicApi
    openai: OpenAiApi

    def cue(self, kind: str) -> Provider:
        """The provider of this kind, its mock ready for the whole conversation."""
        if kind == "anthropic":
            self.anthropic.queue(*scripted(anthropic_replies))
        elif kind != "scripted":
            self.openai.queue(*scripted(openai_replies))
        return self.providers[kind]


@pytest.fixture
async def cast(open_kind: Open) -> AsyncIterator[Cast]:
    """Everybody who can hold the conversation, under one name; the mocks refuse what the real APIs would refuse."""
    async with AsyncExitStack() as stack:
        claude = await stack.enter_async_context(AnthropicApi())
        gpt = await stack.enter_async_context(OpenAiApi())
        remote = {"api_key": "k", "model": MODEL}
        options: dict[str, dict[str, Any]] = {
            "anthropic": {**remote, "base_url": claude.url},
            "openai": {**remote, "base_url": gpt.base},
            "openai_chat": {**remote, "base_url": gpt.base, "preset": "openai"},
            "scripted": {"turns": SCRIPT, "model": MODEL},
        }
        opened = {kind: await stack.enter_async_context(open_kind(kind, **raw)) for kind, raw in options.items()}
        yield Cast(opened, claude, gpt)


def answers(message: Message) -> Message:
    """A result for every call."""
    results = (ToolOutcome(call.id, call.name, ToolResult(structured=call.args)) for call in message.calls)
    return Message("user", tuple(results))


def told(events: Sequence[ModelEvent]) -> list[Any]:
    """What a client learns of a turn: ids by their place, no opaque state, no counts."""
    *chunks, done = events
    assert isinstance(done, TurnDone)
    parts = [part for part in done.message.parts if not isinstance(part, Thinking) or part.text]
    bare = [Thinking(part.text) if isinstance(part, Thinking) else part for part in parts]
    named = [
        ToolCall(str(at), part.name, part.args) if isinstance(part, ToolCall) else part for at, part in enumerate(bare)
    ]
    return [*chunks, named, done.stop, done.cut]


async def converse(cast: Cast, kind: str) -> list[list[Any]]:
    """What a client learns of the whole conversation with this kind."""
    provider, question = cast.cue(kind), user("What plan is ACME on?")
    first = await play(provider, ask(question, model=MODEL, thinking="low", tools=(TOOL,)))
    assert isinstance(first[-1], TurnDone)
    said = first[-1].message
    request = ask(question, said, answers(said), model=MODEL, thinking="low", tools=(TOOL,), turn=2)
    return [told(first), told(await play(provider, request))]


@pytest.mark.parametrize("kind", ["anthropic", "openai", "openai_chat", "scripted"])
async def test_same_events(cast: Cast, kind: str) -> None:
    """Whoever holds it, the conversation consists of the same events, word for word."""
    calls = [ToolCall(str(at), name, args) for at, (name, args) in enumerate(CALLS, 2)]
    thoughts = [ThinkingChunk(word) for word in ("Let ", "me ", "see.")]
    words = [TextChunk(word) for word in ("ACME ", "is ", "on ", "gold.")]
    assert await converse(cast, kind) == [
        [
            *thoughts,
            TextChunk("One "),
            TextChunk("moment. "),
            [Thinking("Let me see."), Text("One moment. "), *calls],
            "tools",
            False,
        ],
        [*words, [Text("ACME is on gold.")], "end", False],
    ]


async def test_change_of_provider(cast: Cast) -> None:
    """A session goes from provider to provider, with thinking and calls of each in the history, and nobody objects.

    The providers share a name and a model, so that nothing but the state itself tells whose it is.
    """
    history: list[Message] = []
    for kind in ("anthropic", "openai", "openai_chat", "anthropic", "openai"):
        provider = cast.cue(kind)
        history.append(user("What plan is ACME on?"))
        for _ in range(2):
            done = (await play(provider, ask(*history, model=MODEL, thinking="low")))[-1]
            assert isinstance(done, TurnDone)
            history.append(done.message)
            if done.message.calls:
                history.append(answers(done.message))
        assert done.message.text == "ACME is on gold."
    assert len(cast.anthropic.requests) == 4
    assert len(cast.openai.requests) == 6


async def test_own_thinking_only(cast: Cast) -> None:
    """After a change, each provider gets back what it thought itself, and nothing that another one did."""
    await test_change_of_provider(cast)
    blocks = [block["type"] for message in cast.anthropic.requests[-1].body["messages"] for block in message["content"]]
    assert blocks.count("thinking") == 2
    items = [item.get("type") for item in cast.openai.requests[-1].body["input"]]
    assert items.count("reasoning") == 2
    assert "thinking" not in str(cast.openai.requests[3].body["messages"])
