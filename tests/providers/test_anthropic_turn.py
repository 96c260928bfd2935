"""From stream events to a turn."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from headgate.core.errors import ProviderError
from headgate.core.messages import ToolCall, Usage
from headgate.core.ports import TurnDone
from headgate.providers.anthropic_turn import Turn
from headgate.providers.prices import Price
from headgate.testing import anthropic_replies as replies
from headgate.testing.anthropic_replies import Reply


def played(reply: Reply) -> TurnDone:
    """The turn that a reply's events make."""
    turn = Turn("claude", "claude-opus-5", overrides={})
    for frame in reply.events("claude-opus-5"):
        turn.take(frame.partition(b"data: ")[2].strip())
    assert turn.done
    return turn.result()


def only_call(reply: Reply) -> ToolCall:
    """The single call of a turn."""
    (call,) = played(reply).message.calls
    return call


@pytest.mark.parametrize(
    ("raw", "args"),
    [
        ('{"a": {"b": [1, "ü"]}}', {"a": {"b": [1, "ü"]}}),
        ("", {}),
        ("{}", {}),
        ("[1]", None),
        ("null", None),
        ('{"a": NaN}', None),
        ('{"a": 1', None),
        ("{'a': 1}", None),
    ],
)
def test_arguments(raw: str, args: dict[str, Any] | None) -> None:
    """Arguments are a JSON object or none at all; what could not be read is kept as it came."""
    call = only_call(replies.turn(replies.tool("x", raw, size=3)))
    assert call.args == args
    assert call.malformed == ("" if args is not None else raw)


def test_arguments_at_start() -> None:
    """A server that does not stream arguments gives them at the block's start."""
    block = replies.tool("x", "")
    whole = replies.Block({**block.start, "input": {"a": 1}}, (), block.whole)
    assert only_call(replies.turn(whole)).args == {"a": 1}


@pytest.mark.parametrize("stop", ["max_tokens", "model_context_window_exceeded", "refusal"])
def test_cut_call(stop: str) -> None:
    """A call that the turn's end cut off has no arguments, even if what came looks whole."""
    done = played(replies.turn(replies.tool("a", {}), replies.tool("b", '{"x": 1}'), stop=stop))
    assert done.cut
    assert [call.args for call in done.message.calls] == [{}, None]
    assert done.message.calls[1].malformed == '{"x": 1}'


def test_long_text_is_not_cut() -> None:
    """A text that reached the limit is long, but no call was cut."""
    done = played(replies.turn(replies.text("abc"), stop="max_tokens"))
    assert (done.stop, done.cut) == ("length", False)


@pytest.mark.parametrize(
    ("stop", "meaning"),
    [
        ("end_turn", "end"),
        ("stop_sequence", "end"),
        ("tool_use", "tools"),
        ("refusal", "refusal"),
        ("pause_turn", "pause"),
        ("model_context_window_exceeded", "context"),
        ("something_new", "end"),
    ],
)
def test_stops(stop: str, meaning: str) -> None:
    """Every stop reason has its meaning; an unknown one ends the turn."""
    assert played(replies.turn(replies.text("a"), stop=stop)).stop == meaning


def test_usage_classes() -> None:
    """Input excludes the cache, cache writes are split by lifetime, thinking is a part of the output."""
    usage = {
        "input_tokens": 12,
        "cache_creation_input_tokens": 150,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 50},
        "cache_read_input_tokens": 900,
        "output_tokens": 42,
        "output_tokens_details": {"thinking_tokens": 7},
    }
    done = played(replies.turn(replies.text("a"), usage=usage))
    assert done.usage == Usage(12, 42, 100, 50, 900, 7)
    assert done.cost == pytest.approx((12 * 5 + 42 * 25 + 100 * 6.25 + 50 * 10 + 900 * 0.5) / 1e6)


def test_usage_without_split() -> None:
    """Cache writes without a split are of five minutes, and nulls count as absent."""
    usage = {"input_tokens": 1, "cache_creation_input_tokens": 5, "cache_read_input_tokens": None, "output_tokens": 2}
    assert played(replies.turn(replies.text("a"), usage=usage)).usage == Usage(1, 2, cache_write=5)


def test_unknown_things() -> None:
    """Unknown events, blocks and deltas are passed over."""
    turn = Turn("claude", "m", overrides={"m": Price(input=1, output=1)})
    for event in (
        {"type": "brand_new", "x": 1},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "server_thing", "id": "s"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "server_delta", "data": {}}},
        {"type": "content_block_delta", "index": 9, "delta": {"type": "text_delta", "text": "lost"}},
        {"type": "message_stop"},
    ):
        assert turn.take(msgspec.json.encode(event)) == ()
    assert turn.result().message.parts == ()


@pytest.mark.parametrize(
    "data",
    [
        *(b"{", b"[]", b'{"type": 1}', b'{"type":"content_block_delta","delta":"x"}'),
        *(b'{"type":"error","error":{"message":"\xff"}}', b'{"type":"x","content_block":{"input":' + b"[" * 100_000),
    ],
)
def test_unreadable(data: bytes) -> None:
    """An event that cannot be read fails the turn with a plain message."""
    with pytest.raises(ProviderError, match="cannot be read"):
        Turn("claude", "m", overrides={}).take(data)
