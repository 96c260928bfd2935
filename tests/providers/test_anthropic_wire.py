"""The body of a request to Anthropic's API."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from headgate.core.messages import File, Image, Message, Opaque, Text, Thinking, ToolCall, ToolOutcome, ToolResult
from headgate.core.ports import ModelRequest, ToolDefinition
from headgate.providers.anthropic_wire import DEFAULT_MAX_TOKENS, encode_request, opaque_thought
from headgate.testing.anthropic_rules import breakpoints, complaint
from tests.providers.samples import MODEL, TOOL, answer, ask, assistant, call, user

CACHED = {"type": "ephemeral"}


def body(request: ModelRequest, **more: Any) -> dict[str, Any]:
    """The decoded body; checked against the API's rules."""
    out: dict[str, Any] = msgspec.json.decode(encode_request(request, provider="claude", **more))
    assert complaint(out) is None
    return out


def contents(*messages: Message) -> list[list[dict[str, Any]]]:
    """The content of every message sent, without cache marks."""
    sent = body(ask(*messages))["messages"]
    return [[{key: each[key] for key in each if key != "cache_control"} for each in one["content"]] for one in sent]


def test_plain() -> None:
    """A bare request has a model, a limit, the messages, and nothing that was not asked for."""
    assert body(ask()) == {
        "model": MODEL,
        "max_tokens": DEFAULT_MAX_TOKENS,
        "stream": True,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": CACHED}]}],
    }


def test_breakpoints() -> None:
    """The cache is marked at the system prompt, the last tool and the end of the newest user message."""
    tools = (ToolDefinition("a", "", {"type": "object"}), TOOL)
    out = body(ask(user("1"), assistant(Text("2")), user("3"), system="Be brief.", tools=tools))
    assert out["system"] == [{"type": "text", "text": "Be brief.", "cache_control": CACHED}]
    assert out["tools"][0] == {"name": "a", "input_schema": {"type": "object"}}
    assert out["tools"][1]["cache_control"] == CACHED
    assert "cache_control" in out["messages"][-1]["content"][-1]
    assert breakpoints(out) == 3


def test_tool_turn() -> None:
    """A call and its result become tool_use and tool_result, structured data as JSON."""
    sent = contents(user(), assistant(Text("wait"), call(q="x")), answer({"plan": "gold"}))
    assert sent[1][1] == {"type": "tool_use", "id": "c1", "name": "lookup", "input": {"q": "x"}}
    assert sent[2] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": '{"plan":"gold"}'}]}
    ]


@pytest.mark.parametrize(
    ("message", "content"),
    [
        (answer(text="gold"), [{"type": "text", "text": "gold"}]),
        (answer(float("nan")), [{"type": "text", "text": "null"}]),
        (answer({"x": [float("inf")]}), [{"type": "text", "text": '{"x":[null]}'}]),
        (answer(), None),
    ],
)
def test_results(message: Message, content: Any) -> None:
    """Text stays text, NaN and infinities become null, and no output is no content."""
    block = contents(user(), assistant(call()), message)[2][0]
    assert block.get("content") == content
    assert "is_error" not in block


def test_error_result() -> None:
    """A failed call is an error for the model, with code and message."""
    block = contents(user(), assistant(call()), answer(error="no such customer"))[2][0]
    assert block["is_error"] is True
    assert block["content"][0]["text"] == '{"error":{"code":"tool_error","message":"no such customer"}}'


def test_images_in_results() -> None:
    """Images and documents of a result stand beside its data."""
    result = ToolResult(
        content=(Text("seen"), Image("image/png", b"i"), File("a.pdf", "application/pdf", b"p")), structured=1
    )
    block = contents(user(), assistant(call()), Message("user", (ToolOutcome("c1", "lookup", result),)))[2][0]
    assert [each["type"] for each in block["content"]] == ["text", "image", "document"]
    assert block["content"][0]["text"] == "1"


def test_files() -> None:
    """Text files become documents, and what the API cannot read is named instead."""
    parts = (Image("image/tiff", b"x"), File("n.txt", "text/plain", b"note"), File("a.zip", "application/zip", b"z"))
    shown = contents(Message("user", parts))[0]
    assert shown[0]["text"] == "[image/tiff content, which this model cannot read]"
    assert shown[1] == {
        "type": "document",
        "title": "n.txt",
        "source": {"type": "text", "media_type": "text/plain", "data": "note"},
    }
    assert shown[2]["type"] == "text"


def test_outcomes_first() -> None:
    """Tool results stand before other content of their message, and messages of one role are merged."""
    sent = contents(user(), assistant(call()), Message("user", (Text("by the way"), *answer(1).parts)), user("more"))
    assert [each["type"] for each in sent[2]] == ["tool_result", "text", "text"]
    assert len(sent) == 3


@pytest.mark.parametrize("text", ["", " \n"])
def test_no_empty_text(text: str) -> None:
    """Empty text is not sent, and neither is a message that has nothing else."""
    assert contents(user("a"), assistant(Text(text)), Message("user", (Text(text), Text("b")))) == [
        [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    ]


def test_malformed_call() -> None:
    """A call whose arguments could not be read goes back with an empty object."""
    broken = ToolCall("c1", "lookup", None, malformed='{"q": ')
    assert contents(user(), assistant(broken), answer(error="bad"))[1][0]["input"] == {}


def test_foreign_ids() -> None:
    """Ids of other providers are made acceptable, the same way on both sides."""
    sent = contents(user(), assistant(call("a.b:1")), answer(1, "a.b:1"))
    assert sent[1][0]["id"] == sent[2][0]["tool_use_id"] == "a_b_1"


def test_own_thinking() -> None:
    """Thinking goes back unchanged to the provider and model that made it."""
    signed = Thinking("hm", Opaque("claude", MODEL, opaque_thought(signature="s")))
    hidden = Thinking("", Opaque("claude", MODEL, opaque_thought(redacted="r")))
    sent = contents(user(), assistant(signed, hidden, Text("a")), user("b"))
    assert sent[1][:2] == [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "r"},
    ]


@pytest.mark.parametrize("opaque", [None, Opaque("other", MODEL, b"{}"), Opaque("claude", "other", b"{}")])
def test_foreign_thinking(opaque: Opaque | None) -> None:
    """Thinking of another provider or model, or without a signature, is left out."""
    assert contents(user(), assistant(Thinking("hm", opaque), Text("a")), user())[1] == [{"type": "text", "text": "a"}]


@pytest.mark.parametrize(
    ("thinking", "members"),
    [
        (None, {}),
        ("adaptive", {"thinking": {"type": "adaptive", "display": "summarized"}}),
        (
            "low",
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "low"}},
        ),
        (2048, {"thinking": {"type": "enabled", "budget_tokens": 2048, "display": "summarized"}}),
    ],
)
def test_thinking(thinking: str | int | None, members: dict[str, Any]) -> None:
    """A word is adaptive thinking with that effort, a number a budget, nothing is the model's own habit."""
    out = body(ask(), thinking=thinking)
    assert {key: out[key] for key in ("thinking", "output_config") if key in out} == members


def test_thinking_off() -> None:
    """Off is spelled as the model wants it."""
    assert body(ask(thinking="off"), thinking="high")["thinking"] == {"type": "between_tools"}
    assert body(ask(model="claude-opus-5"), thinking="off")["thinking"] == {"type": "disabled"}


@pytest.mark.parametrize(("limit", "budget"), [(None, 5000), (6000, 5000), (4000, 2000), (1500, None)])
def test_budget_fits(limit: int | None, budget: int | None) -> None:
    """A budget stays below the limit of the turn, and without room for the smallest there is no thinking."""
    out = body(ask(max_output_tokens=limit, thinking=5000))
    assert out.get("thinking", {}).get("budget_tokens") == budget
    assert out["max_tokens"] == (limit or DEFAULT_MAX_TOKENS + 5000)


def test_budget_amid_tools() -> None:
    """A budget is left out where a turn goes on after calls that were made without thinking: the API refuses it."""
    assert "thinking" not in body(ask(user(), assistant(call()), answer(1)), thinking=2048)


def test_limits() -> None:
    """The request's limit goes before the manifest's."""
    assert body(ask(), max_tokens=7)["max_tokens"] == 7
    assert body(ask(max_output_tokens=9), max_tokens=7)["max_tokens"] == 9


def test_name_of_another_kind() -> None:
    """State of a kind that had the provider's name before is left out."""
    other = Thinking("hm", Opaque("claude", MODEL, b'{"field":"reasoning_content"}'))
    assert contents(user(), assistant(other, Text("a")), user())[1] == [{"type": "text", "text": "a"}]
