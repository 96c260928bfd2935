"""The body of a Chat Completions request."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from headgate.core.messages import File, Image, Message, Opaque, Text, Thinking, ToolCall, ToolOutcome, ToolResult
from headgate.core.ports import ModelRequest
from headgate.providers.openai_chat_wire import UNSIGNED, encode_request, opaque_details, opaque_field
from headgate.providers.openai_presets import PLAIN, PRESETS
from headgate.testing.openai_rules import chat_complaint
from tests.providers.samples import TOOL, answer, ask, assistant, call, user

MODEL = "llama"


def body(request: ModelRequest, preset: str | None = None, **more: Any) -> dict[str, Any]:
    """The decoded body; checked against the API's rules."""
    server = PRESETS[preset] if preset else PLAIN
    out: dict[str, Any] = msgspec.json.decode(encode_request(request, provider="local", preset=server, **more))
    assert chat_complaint(out, compatible=preset is not None and preset != "openai") is None
    return out


def sent(*messages: Message, preset: str | None = None) -> list[dict[str, Any]]:
    """The messages."""
    out: list[dict[str, Any]] = body(ask(*messages, model=MODEL), preset)["messages"]
    return out


def own(data: bytes) -> Opaque:
    """State of this provider and model."""
    return Opaque("local", MODEL, data)


def test_plain() -> None:
    """A bare request streams with usage, and has nothing that was not asked for."""
    assert body(ask(model=MODEL, session="s")) == {
        "model": MODEL,
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "hi"}],
    }


def test_whole_head() -> None:
    """System prompt, tools and limit have their members."""
    out = body(ask(model=MODEL, system="Be brief.", tools=(TOOL,)), max_tokens=99)
    assert out["messages"][0] == {"role": "system", "content": "Be brief."}
    assert out["max_tokens"] == 99
    assert out["tools"] == [
        {
            "type": "function",
            "function": {"name": "lookup", "description": "Looks things up.", "parameters": TOOL.input_schema},
        }
    ]


def test_openai_itself() -> None:
    """OpenAI's own endpoint has another name for the limit, and takes a cache key."""
    out = body(ask(model="gpt-6-sol", session="sess_1", max_output_tokens=7), "openai", max_tokens=9)
    assert (out["max_completion_tokens"], out["prompt_cache_key"]) == (7, "sess_1")
    assert "max_tokens" not in out


@pytest.mark.parametrize(
    ("preset", "thinking", "members"),
    [
        (None, None, {}),
        (None, "adaptive", {}),
        (None, "low", {"reasoning_effort": "low"}),
        (None, "off", {"reasoning_effort": "none"}),
        (None, 20_000, {"reasoning_effort": "high"}),
        ("openrouter", "high", {"reasoning": {"effort": "high"}}),
        ("openrouter", 2048, {"reasoning": {"max_tokens": 2048}}),
        ("openrouter", "adaptive", {"reasoning": {"enabled": True}}),
        ("openrouter", "off", {"reasoning": {"enabled": False}}),
        ("deepseek", "high", {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
        ("deepseek", "adaptive", {"thinking": {"type": "enabled"}}),
        ("deepseek", "off", {"thinking": {"type": "disabled"}}),
        ("vllm", "off", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("vllm", "low", {"chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "low"}),
    ],
)
def test_thinking(preset: str | None, thinking: str | int | None, members: dict[str, Any]) -> None:
    """A thinking level is asked for as the server has it."""
    out = body(ask(model=MODEL), preset, thinking=thinking)
    names = ("reasoning_effort", "reasoning", "thinking", "chat_template_kwargs")
    assert {name: out[name] for name in names if name in out} == members


def test_tool_turn() -> None:
    """Calls are part of the model's message, results are messages of their own before what the user says."""
    later = Message("user", (Text("by the way"), *answer({"plan": "gold"}).parts))
    assert sent(user(), assistant(call(q="x")), later)[1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": '{"q":"x"}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": '{"plan":"gold"}'},
        {"role": "user", "content": "by the way"},
    ]


def test_images_in_results() -> None:
    """A tool message has text alone: images follow in a user message, under the tool's name."""
    result = ToolResult(content=(Image("image/png", b"i"),))
    messages = sent(user(), assistant(call()), Message("user", (ToolOutcome("c1", "lookup", result), Text("and?"))))
    assert messages[2]["content"] == "The content follows in the next message."
    assert messages[3]["content"] == [
        {"type": "text", "text": "Content from the tool lookup:"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aQ=="}},
        {"type": "text", "text": "and?"},
    ]


def test_files() -> None:
    """Documents are sent by value; text files are text, and text alone is a string."""
    paper = File("a.pdf", "application/pdf", b"p")
    (first,) = sent(Message("user", (Text("see"), paper)))
    assert first["content"][1] == {
        "type": "file",
        "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,cA=="},
    }
    (second,) = sent(Message("user", (Text("see"), File("n.txt", "text/plain", b"note"), Text(" "))))
    assert second["content"] == "see\n\nn.txt:\nnote"


def test_malformed_and_long() -> None:
    """A call that could not be read goes back with an empty object, a long id within the limit on both sides."""
    long = "x" * 90
    messages = sent(user(), assistant(ToolCall(long, "lookup", None, malformed="{")), answer(error="bad", id=long))
    (called,) = messages[1]["tool_calls"]
    assert called["function"]["arguments"] == "{}"
    assert len(called["id"]) == 40
    assert messages[2]["tool_call_id"] == called["id"]


@pytest.mark.parametrize("text", ["", " \n"])
def test_no_empty_text(text: str) -> None:
    """Empty text is not sent, and neither is a message that has nothing else."""
    assert sent(user("a"), assistant(Text(text), Thinking("hm")), Message("user", (Text(text),))) == [
        {"role": "user", "content": "a"}
    ]


def test_thinking_stays_behind() -> None:
    """Thinking that another model made, or that the server does not want back, is left out."""
    thoughts = [
        Thinking("hm"),
        Thinking("hm", Opaque("claude", MODEL, b"{}")),
        Thinking("x", Opaque("local", "m", b"")),
    ]
    assert sent(user(), assistant(*thoughts, Text("a")))[1] == {"role": "assistant", "content": "a"}


def test_own_thinking() -> None:
    """Thinking goes back in the member it came in, and details unchanged."""
    field = Thinking("hm", own(opaque_field("reasoning_content")))
    details = Thinking("", own(opaque_details([{"type": "reasoning.encrypted", "data": "e"}])))
    message = sent(user(), assistant(field, details, Text("a")), preset="openrouter")[1]
    assert message["reasoning_content"] == "hm"
    assert message["reasoning_details"] == [{"type": "reasoning.encrypted", "data": "e"}]


def test_reasoned_calls() -> None:
    """DeepSeek wants the reasoning of every message with calls, be it empty."""
    field = Thinking("hm", own(opaque_field("reasoning_content")))
    messages = sent(
        user(), assistant(field, call()), answer(1), assistant(call("c2")), answer(2, "c2"), preset="deepseek"
    )
    assert [each["reasoning_content"] for each in messages if each["role"] == "assistant"] == ["hm", ""]


def test_signatures() -> None:
    """A call's own signature goes back; Google's stand-in signs the first call of a message that has none."""
    signed = ToolCall("c1", "lookup", {}, opaque=own(b'{"google":{"thought_signature":"s"}}'))
    foreign = ToolCall("c3", "lookup", {}, opaque=Opaque("claude", "m", b"{}"))
    messages = sent(
        user(),
        assistant(signed, call("c2")),
        Message("user", answer(1).parts + answer(2, "c2").parts),
        assistant(foreign, call("c4")),
        Message("user", answer(1, "c3").parts + answer(2, "c4").parts),
        preset="google",
    )
    extra = [each.get("extra_content") for message in messages for each in message.get("tool_calls", ())]
    assert extra == [{"google": {"thought_signature": "s"}}, None, UNSIGNED, None]


def test_no_stand_in_elsewhere() -> None:
    """Other servers are not told of signatures."""
    assert "extra_content" not in sent(user(), assistant(call()), answer(1))[1]["tool_calls"][0]


def test_name_of_another_kind() -> None:
    """State of a kind that had the provider's name before is left out."""
    other = Thinking("hm", own(b'{"type":"reasoning","encrypted_content":"e"}'))
    assert sent(user(), assistant(other, Text("a")))[1] == {"role": "assistant", "content": "a"}
