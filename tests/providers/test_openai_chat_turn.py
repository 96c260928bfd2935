"""From the chunks of a Chat Completions stream to a turn."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from headgate.core.errors import ProviderError
from headgate.core.messages import Opaque, Text, Thinking, Usage
from headgate.core.ports import ModelEvent, TextChunk, ThinkingChunk, TurnDone
from headgate.providers.openai_chat_turn import Turn
from headgate.providers.openai_presets import PRESETS
from headgate.testing import openai_replies as replies
from headgate.testing.openai_replies import Reply
from headgate.testing.openai_streams import chat
from tests.providers.samples import ask, assistant, call, user

MODEL = "llama"


def begin(preset: str = "ollama", **more: Any) -> Turn:
    """A turn that has seen nothing."""
    return Turn("local", ask(model=MODEL, **more), overrides={}, server=PRESETS[preset])


def delta(finish: str | None = None, **members: Any) -> dict[str, Any]:
    """A chunk with this delta."""
    return {"choices": [{"index": 0, "delta": members, "finish_reason": finish}]}


def fed(turn: Turn, *chunks: dict[str, Any]) -> list[ModelEvent]:
    """What the reader is shown of these chunks."""
    return [chunk for each in chunks for chunk in turn.take(msgspec.json.encode(each))]


def played(reply: Reply, turn: Turn | None = None) -> TurnDone:
    """The turn that a reply's chunks make."""
    turn = turn or begin()
    for frame in chat(reply, "served"):
        turn.take(frame.partition(b"data: ")[2].strip())
    assert turn.whole
    return turn.result()


def test_whole() -> None:
    """Thinking, text and calls, in this order."""
    done = played(replies.turn(replies.thinking("a", "b"), replies.text("c"), replies.tool("x", {"n": 1}, id="c1")))
    assert done.message.parts == (Thinking("ab"), Text("c"), call("c1", "x", n=1))
    assert (done.stop, done.model, done.usage, done.cost) == ("tools", "served", Usage(10, 5), None)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "reasoning_text"])
def test_thinking_names(field: str) -> None:
    """Thinking is found under every name that servers have for it."""
    assert played(replies.turn(replies.thinking("a"), thinking_field=field)).message.parts == (Thinking("a"),)


def test_one_chunk() -> None:
    """A chunk with everything in it shows everything once, thinking first."""
    turn = begin()
    chunk = delta(
        reasoning="a", reasoning_content="a", content="b", tool_calls=[{"index": 0, "function": {"name": "x"}}]
    )
    assert fed(turn, chunk) == [ThinkingChunk("a"), TextChunk("b")]
    assert turn.result().message.calls[0].name == "x"


@pytest.mark.parametrize(
    ("finish", "blocks", "stop"),
    [
        ("stop", [replies.text("a")], "end"),
        ("length", [replies.text("a")], "length"),
        ("content_filter", [replies.text("a")], "refusal"),
        ("eos", [replies.text("a")], "end"),
        (None, [replies.text("a")], "end"),
        ("tool_calls", [replies.tool("x", {})], "tools"),
        ("function_call", [replies.tool("x", {})], "tools"),
        ("stop", [replies.tool("x", {})], "tools"),
        (None, [replies.tool("x", {})], "tools"),
        ("stop", [replies.refusal("no")], "refusal"),
    ],
)
def test_stops(finish: str | None, blocks: list[replies.Block], stop: str) -> None:
    """Every reason to stop has its meaning, and calls speak for themselves."""
    done = played(replies.turn(*blocks, finish=finish))
    assert (done.stop, done.cut) == (stop, False)


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_cut_call(finish: str) -> None:
    """The last call of a turn that was cut off has no arguments, even if what came looks whole."""
    done = played(replies.turn(replies.tool("a", {}), replies.tool("b", '{"x": 1}'), finish=finish))
    assert done.cut
    assert [(each.args, each.malformed) for each in done.message.calls] == [({}, ""), (None, '{"x": 1}')]


def test_malformed_arguments() -> None:
    """Arguments that are no JSON object are kept as they came."""
    (called,) = played(replies.turn(replies.tool("x", '{"a": 1'))).message.calls
    assert (called.args, called.malformed) == (None, '{"a": 1')


def test_function_call() -> None:
    """The old form of a call is one, too."""
    turn = begin()
    fed(
        turn,
        delta(function_call={"name": "x", "arguments": "{"}),
        delta("function_call", function_call={"arguments": "}"}),
    )
    assert turn.result().message.calls == (call("call_1_0", "x"),)


def test_ids() -> None:
    """Empty and repeated ids are made unique within the conversation."""
    turn = Turn("local", ask(user(), assistant(call("c1")), user(), turn=2), overrides={})
    done = played(replies.turn(*(replies.tool("x", {}, id=id) for id in ("c1", "", "c9", "c9"))), turn)
    assert [called.id for called in done.message.calls] == ["c1_2", "call_2_1", "c9", "c9_2"]


@pytest.mark.parametrize(
    ("usage", "classes"),
    [
        (None, Usage()),
        ({"prompt_tokens": None}, Usage()),
        ({"prompt_tokens": 10, "completion_tokens": 5}, Usage(10, 5)),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "total_tokens": 120,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
                "completion_tokens_details": {"reasoning_tokens": 7},
            },
            Usage(10, 20, cache_write=30, cache_read=60, reasoning=7),
        ),
        ({"prompt_tokens": 100, "prompt_cache_hit_tokens": 60}, Usage(40, cache_read=60)),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 60}}, Usage(0, cache_read=10)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 22}, Usage(10, 12, reasoning=7)),
    ],
)
def test_usage(usage: dict[str, Any] | None, classes: Usage) -> None:
    """Cached tokens are taken out of the prompt, thinking that only the total has is output, and nothing is zeros."""
    assert played(replies.turn(replies.text("a"), usage=usage)).usage == classes


def test_costs() -> None:
    """The built-in table is OpenAI's own: a server that borrows a name has no price but the manifest's."""
    reply = replies.turn(replies.text("a"))
    request = ask(model="gpt-6-sol")
    assert played(reply, Turn("p", request, overrides={})).cost is None
    done = played(reply, Turn("p", request, overrides={}, server=PRESETS["openai"]))
    assert done.cost == pytest.approx((10 * 2 + 5 * 10) / 1e6)


def test_kept_thinking() -> None:
    """Thinking is marked for its return where the server wants it back."""
    (thought,) = played(replies.turn(replies.thinking("a")), begin("deepseek")).message.parts
    assert thought == Thinking("a", Opaque("local", MODEL, b'{"field":"reasoning_content"}'))


def test_details() -> None:
    """Reasoning details are put together piece by piece, and encrypted ones stay apart."""
    turn = begin("openrouter")
    text = {"type": "reasoning.text", "index": 0}
    fed(
        turn,
        delta(reasoning="a", reasoning_details=[{**text, "text": "a", "signature": None}]),
        delta(reasoning="b", reasoning_details=[{**text, "text": "b", "signature": "s"}]),
        delta(reasoning_details=[{"type": "reasoning.encrypted", "data": "e"}]),
        delta(reasoning_details=[{"type": "reasoning.encrypted", "data": "f"}]),
    )
    (thought,) = turn.result().message.parts
    assert isinstance(thought, Thinking)
    assert thought.opaque is not None
    first, *others = msgspec.json.decode(thought.opaque.data)["details"]
    assert (thought.text, first) == ("ab", {**text, "text": "ab", "signature": "s"})
    assert [each["data"] for each in others] == ["e", "f"]


def test_signed_call() -> None:
    """What a server adds to a call is kept for its return."""
    turn = begin("google")
    called = {
        "index": 0,
        "id": "c",
        "function": {"name": "x", "arguments": "{}"},
        "extra_content": {"google": {"s": 1}},
    }
    fed(turn, delta("tool_calls", tool_calls=[called]))
    assert turn.result().message.calls[0].opaque == Opaque("local", MODEL, b'{"google":{"s":1}}')


def test_ends() -> None:
    """`[DONE]` ends a stream; a reason to stop makes the turn whole, but usage may follow."""
    turn = begin()
    assert (turn.whole, turn.done) == (False, False)
    fed(turn, delta("stop"))
    assert (turn.whole, turn.done) == (True, False)
    turn.take(b"[DONE]")
    assert (turn.whole, turn.done) == (True, True)


@pytest.mark.parametrize(
    ("chunk", "status"),
    [
        ({"error": {"code": 502, "message": "m"}}, 502),
        ({"error": {"type": "overloaded_error", "message": "m"}, "choices": []}, 529),
        ({"error": "m"}, 500),
        (delta("error"), 500),
    ],
)
def test_errors(chunk: dict[str, Any], status: int) -> None:
    """An error inside the stream fails the turn, in whatever shape."""
    with pytest.raises(ProviderError) as raised:
        fed(begin(), chunk)
    assert raised.value.status == status


def test_odd_chunks() -> None:
    """Unknown members, lists as content, and chunks with nothing are passed over."""
    turn = begin()
    assert (
        fed(turn, {}, {"choices": None, "x": {}}, {"choices": [{}]}, delta(content=[{"type": "text"}]), delta(x=1))
        == []
    )
    assert turn.result().message.parts == ()
    assert turn.result().model == MODEL


@pytest.mark.parametrize(
    "data",
    [
        *(b"{", b"[]", b'{"choices": 1}', b'{"choices":[{"delta":"x"}]}'),
        *(b'{"error":"\xff"}', b'{"choices":[{"delta":{"content":' + b"[" * 100_000),
    ],
)
def test_unreadable(data: bytes) -> None:
    """A chunk that cannot be read fails the turn with a plain message."""
    with pytest.raises(ProviderError, match="cannot be read"):
        begin().take(data)
