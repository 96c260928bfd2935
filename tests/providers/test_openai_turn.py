"""From the Responses API's stream events to a turn."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from headgate.core.errors import ProviderError
from headgate.core.messages import Opaque, Text, Thinking, ToolCall, Usage
from headgate.core.ports import ModelEvent, TextChunk, ThinkingChunk, TurnDone
from headgate.providers.openai_turn import Turn
from headgate.testing import openai_replies as replies
from headgate.testing.openai_replies import Reply
from headgate.testing.openai_streams import responses
from tests.providers.samples import ask, assistant, call, user

GPT = "gpt-6-sol"
REQUEST = ask(model=GPT)


def begin() -> Turn:
    """A turn that has seen nothing."""
    return Turn("gpt", REQUEST, overrides={})


def fed(turn: Turn, *events: dict[str, Any]) -> list[ModelEvent]:
    """What the reader is shown of these events."""
    return [chunk for event in events for chunk in turn.take(msgspec.json.encode(event))]


def played(reply: Reply, turn: Turn | None = None) -> TurnDone:
    """The turn that a reply's events make."""
    turn = turn or begin()
    for frame in responses(reply, "served"):
        turn.take(frame.partition(b"data: ")[2].strip())
    assert turn.done
    return turn.result()


def test_whole() -> None:
    """Reasoning, labelled text and calls, with what only the API can read again."""
    done = played(
        replies.turn(replies.thinking("a", "b"), replies.text("c", phase="commentary"), replies.tool("x", {}))
    )
    thought, label, text, called = done.message.parts
    assert isinstance(thought, Thinking)
    assert thought.text == "ab"
    assert thought.opaque is not None
    assert msgspec.json.decode(thought.opaque.data)["encrypted_content"] == "encrypted"
    assert label == Thinking("", Opaque("gpt", GPT, b'{"phase":"commentary"}'))
    assert text == Text("c")
    assert isinstance(called, ToolCall)
    assert (done.stop, done.model, done.cut) == ("tools", "served", False)


def test_hidden_reasoning() -> None:
    """Reasoning without a summary is kept, though there is nothing to show; without encryption too there is none."""
    (thought,) = played(replies.turn(replies.thinking())).message.parts
    assert isinstance(thought, Thinking)
    assert (thought.text, thought.opaque is None) == ("", False)
    assert played(replies.turn(replies.thinking(secret=None))).message.parts == ()


def test_summary_parts() -> None:
    """The parts of a summary are set apart."""
    part = {"type": "response.reasoning_summary_part.added", "output_index": 0}
    delta = {"type": "response.reasoning_summary_text.delta", "output_index": 0}
    item = {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "e"}
    chunks = fed(
        begin(),
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {**part, "summary_index": 0},
        {**delta, "delta": "a"},
        {**part, "summary_index": 1},
        {**delta, "delta": "b"},
    )
    assert chunks == [ThinkingChunk("a"), ThinkingChunk("\n\n"), ThinkingChunk("b")]


@pytest.mark.parametrize(
    ("item", "chunk"),
    [
        ({"type": "message", "content": [{"type": "output_text", "text": "a"}]}, TextChunk("a")),
        ({"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}, TextChunk("no")),
        ({"type": "reasoning", "summary": [{"text": "a"}, {"text": "b"}]}, ThinkingChunk("a\n\nb")),
        ({"type": "reasoning", "summary": [], "content": [{"text": "raw"}]}, ThinkingChunk("raw")),
    ],
)
def test_whole_items(item: dict[str, Any], chunk: ModelEvent) -> None:
    """What a server did not stream is shown when the item is done."""
    assert fed(begin(), {"type": "response.output_item.done", "output_index": 0, "item": item}) == [chunk]


@pytest.mark.parametrize(("raw", "args"), [('{"a": "ü"}', {"a": "ü"}), ("", {}), ("[1]", None), ('{"a": 1', None)])
def test_arguments(raw: str, args: dict[str, Any] | None) -> None:
    """Arguments are a JSON object or none at all; what could not be read is kept as it came."""
    (called,) = played(replies.turn(replies.tool("x", raw, size=3))).message.calls
    assert (called.args, called.malformed) == (args, "" if args is not None else raw)


@pytest.mark.parametrize(
    ("reason", "stop"), [("max_output_tokens", "length"), ("content_filter", "refusal"), ("brand_new", "length")]
)
def test_incomplete(reason: str, stop: str) -> None:
    """A response that was stopped within a call has no arguments for it, even if what came looks whole."""
    done = played(replies.turn(replies.tool("a", {}), replies.tool("b", '{"x": 1}'), incomplete=reason))
    assert (done.stop, done.cut) == (stop, True)
    assert [call.args for call in done.message.calls] == [{}, None]
    assert done.message.calls[1].malformed == '{"x": 1}'


def test_long_text_is_not_cut() -> None:
    """A text that reached the limit is long, but no call was cut."""
    done = played(replies.turn(replies.text("abc"), incomplete="max_output_tokens"))
    assert (done.stop, done.cut) == ("length", False)


def test_refusal() -> None:
    """The model's own refusal is text, and the reason to stop."""
    done = played(replies.turn(replies.refusal("I ", "won't.")))
    assert (done.stop, done.message.text) == ("refusal", "I won't.")


def test_usage_classes() -> None:
    """The API's input has cached tokens in it: they are taken out, and writes are split by lifetime."""
    usage = {
        "input_tokens": 1062,
        "input_tokens_details": {
            "cached_tokens": 900,
            "cache_write_tokens": 150,
            "cache_write_tokens_details": {"ttl_30m_tokens": 100, "ttl_12h_tokens": 50},
        },
        "output_tokens": 42,
        "output_tokens_details": {"reasoning_tokens": 7},
    }
    done = played(replies.turn(replies.text("a"), usage=usage))
    assert done.usage == Usage(12, 42, 100, 50, 900, 7)
    assert done.cost == pytest.approx((12 * 2 + 42 * 10 + 100 * 2.5 + 50 * 5 + 900 * 0.2) / 1e6)


@pytest.mark.parametrize(
    "usage", [None, {"input_tokens": None}, {"input_tokens_details": None, "output_tokens_details": None}]
)
def test_no_usage(usage: dict[str, Any] | None) -> None:
    """A server that counts nothing has used nothing that is known of."""
    assert played(replies.turn(replies.text("a"), usage=usage)).usage == Usage()


def test_ids() -> None:
    """Empty and repeated ids are made unique within the conversation."""
    turn = Turn("gpt", ask(user(), assistant(call("c1")), user(), model=GPT, turn=2), overrides={})
    done = played(replies.turn(*(replies.tool("x", {}, id=id) for id in ("c1", "", "c9", "c9"))), turn)
    assert [called.id for called in done.message.calls] == ["c1_2", "call_2_1", "c9", "c9_2"]


@pytest.mark.parametrize(
    ("event", "status", "words"),
    [
        ({"type": "error", "code": "server_error", "message": "boom"}, 500, "boom"),
        ({"type": "error", "error": {"code": "rate_limit_exceeded", "message": "slow"}}, 429, "slow"),
        ({"type": "error"}, 500, "status 500"),
        ({"type": "response.failed", "response": {"error": {"code": "invalid_prompt", "message": "bad"}}}, 400, "bad"),
        ({"type": "response.failed"}, 500, "status 500"),
    ],
)
def test_failures(event: dict[str, Any], status: int, words: str) -> None:
    """The API's failures are events, in either shape."""
    with pytest.raises(ProviderError, match=words) as raised:
        fed(begin(), event)
    assert raised.value.status == status


def test_unknown_things() -> None:
    """Unknown events and items are passed over, and so is what belongs to no item."""
    turn = begin()
    shown = fed(
        turn,
        {"type": "response.brand_new", "delta": {"x": 1}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "web_search_call", "id": "w"}},
        {"type": "response.output_item.done", "output_index": 0, "item": {"type": "web_search_call", "action": {}}},
        {"type": "response.output_text.delta", "output_index": 9, "delta": "lost"},
        {"type": "response.function_call_arguments.delta", "output_index": 9, "delta": "{"},
        {"type": "response.completed"},
    )
    assert (shown, turn.result().message.parts, turn.result().model) == ([], (), GPT)


@pytest.mark.parametrize(
    "data",
    [
        *(b"{", b"[]", b'{"type": 1}', b'{"type":"response.output_item.done","item":[]}'),
        *(b'{"type":"error","message":"\xff"}', b'{"type":"x","delta":' + b"[" * 100_000),
    ],
)
def test_unreadable(data: bytes) -> None:
    """An event that cannot be read fails the turn with a plain message."""
    with pytest.raises(ProviderError, match="cannot be read"):
        begin().take(data)
