"""The body of a request to OpenAI's Responses API."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from headgate.core.messages import File, Image, Message, Opaque, Text, Thinking, ToolCall, ToolOutcome, ToolResult
from headgate.core.ports import ModelRequest, ToolDefinition
from headgate.providers.openai_wire import encode_request, opaque_phase, opaque_reasoning
from headgate.testing.openai_rules import responses_complaint
from tests.providers.samples import TOOL, answer, ask, assistant, call, user

GPT = "gpt-6-sol"
ITEM = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "e", "status": None, "content": None}


def body(request: ModelRequest, **more: Any) -> dict[str, Any]:
    """The decoded body; checked against the API's rules."""
    out: dict[str, Any] = msgspec.json.decode(encode_request(request, provider="gpt", **more))
    assert responses_complaint(out) is None
    return out


def items(*messages: Message, model: str = GPT) -> list[dict[str, Any]]:
    """The input items."""
    sent: list[dict[str, Any]] = body(ask(*messages, model=model))["input"]
    return sent


def own(data: bytes, text: str = "hm") -> Thinking:
    """Thinking of this provider and model."""
    return Thinking(text, Opaque("gpt", GPT, data))


def test_plain() -> None:
    """A bare request is stateless, and has nothing that was not asked for."""
    assert body(ask(model=GPT)) == {
        "model": GPT,
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
    }


def test_whole_head() -> None:
    """System prompt, tools, limit and cache key have their members."""
    out = body(ask(model=GPT, system="Be brief.", tools=(TOOL,), max_output_tokens=99, session="sess_1"))
    assert (out["instructions"], out["max_output_tokens"], out["prompt_cache_key"]) == ("Be brief.", 99, "sess_1")
    (tool,) = out["tools"]
    assert tool["parameters"] == TOOL.input_schema
    assert (tool["type"], tool["name"], tool["description"], tool["strict"]) == (
        "function",
        "lookup",
        "Looks things up.",
        False,
    )


def test_strict_tool() -> None:
    """Only a schema that the API can enforce is enforced."""
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    tools = (ToolDefinition("a", "", schema), ToolDefinition("b", "", {"type": "object"}))
    assert [tool["strict"] for tool in body(ask(model=GPT, tools=tools))["tools"]] == [True, False]


@pytest.mark.parametrize(("asked", "manifest", "limit"), [(None, 50, 50), (70, 50, 70), (3, None, 16), (None, 1, 16)])
def test_limits(asked: int | None, manifest: int | None, limit: int) -> None:
    """The request's limit goes before the manifest's, and none is below what the API takes."""
    assert body(ask(model=GPT, max_output_tokens=asked), max_tokens=manifest)["max_output_tokens"] == limit


def test_long_session() -> None:
    """A cache key fits the API's limit."""
    assert len(body(ask(model=GPT, session="s" * 100))["prompt_cache_key"]) == 64


@pytest.mark.parametrize(
    ("model", "thinking", "reasoning"),
    [
        (GPT, None, None),
        (GPT, "adaptive", {"summary": "auto"}),
        (GPT, "low", {"summary": "auto", "effort": "low"}),
        (GPT, 9000, {"summary": "auto", "effort": "medium"}),
        (GPT, "off", {"effort": "none"}),
        ("gpt-6.2-sol", "off", {"effort": "low"}),
        ("openai/gpt-6.1-sol-2026-09-29", "off", {"effort": "low"}),
        ("gpt-6.1-terra", "off", {"effort": "none"}),
        ("gpt-5-mini-2025-08-07", "off", {"effort": "minimal"}),
        ("gpt-5.4-mini", "off", {"effort": "none"}),
        ("o3", "off", {"effort": "low"}),
    ],
)
def test_thinking(model: str, thinking: str | int | None, reasoning: dict[str, Any] | None) -> None:
    """A level is an effort with a summary; off is the least that the model takes."""
    out = body(ask(model=model), thinking=thinking)
    assert out.get("reasoning") == reasoning
    assert out["include"] == ["reasoning.encrypted_content"]


@pytest.mark.parametrize("model", ["gpt-4.1", "gpt-4o-mini", "gpt-5-chat-latest", "chatgpt-4o-latest"])
def test_unthinking_models(model: str) -> None:
    """A model that does not reason is asked for nothing of the kind."""
    out = body(ask(model=model, thinking="high"))
    assert not out.keys() & {"reasoning", "include"}


def test_request_goes_first() -> None:
    """The request's thinking goes before the manifest's."""
    assert body(ask(model=GPT, thinking="off"), thinking="high")["reasoning"] == {"effort": "none"}


def test_tool_turn() -> None:
    """Calls and results become items, results before what the user says with them."""
    later = Message("user", (Text("by the way"), *answer({"plan": "gold"}).parts))
    assert items(user(), assistant(Text("wait"), call(q="x")), later)[1:] == [
        {"role": "assistant", "content": "wait"},
        {"type": "function_call", "call_id": "c1", "name": "lookup", "arguments": '{"q":"x"}'},
        {"type": "function_call_output", "call_id": "c1", "output": '{"plan":"gold"}'},
        {"role": "user", "content": [{"type": "input_text", "text": "by the way"}]},
    ]


@pytest.mark.parametrize(
    ("message", "output"),
    [
        (answer(text="gold"), "gold"),
        (answer(float("nan")), "null"),
        (answer(), ""),
        (answer(error="none"), '{"error":{"code":"tool_error","message":"none"}}'),
    ],
)
def test_results(message: Message, output: str) -> None:
    """Text stays text, errors and data are JSON, and no output is an empty string."""
    assert items(user(), assistant(call()), message)[2]["output"] == output


def test_images_in_results() -> None:
    """Images and documents of a result stand beside its data."""
    parts = (Text("seen"), Image("image/png", b"i"), File("a.pdf", "application/pdf", b"p"))
    result = ToolResult(content=parts, structured=1)
    sent = items(user(), assistant(call()), Message("user", (ToolOutcome("c1", "lookup", result),)))
    assert sent[2]["output"] == [
        {"type": "input_text", "text": "1"},
        {"type": "input_image", "image_url": "data:image/png;base64,aQ=="},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,cA=="},
    ]


def test_only_an_image() -> None:
    """A result that is nothing but an image has no empty text."""
    outcome = ToolOutcome("c1", "lookup", ToolResult(content=(Image("image/png", b"i"),)))
    sent = items(user(), assistant(call()), Message("user", (outcome,)))
    assert [part["type"] for part in sent[2]["output"]] == ["input_image"]


def test_files() -> None:
    """The user's images and documents are sent by value, and what the API cannot read is named."""
    parts = (Image("image/tiff", b"x"), File("n.txt", "text/plain", b"note"), Image("image/png", b"i"), Text(" "))
    (message,) = items(Message("user", parts))
    assert [part.get("text", part["type"]) for part in message["content"]] == [
        "[image/tiff content, which this model cannot read]",
        "n.txt:\nnote",
        "input_image",
    ]


def test_malformed_and_long() -> None:
    """A call that could not be read goes back with an empty object, a long id within the limit on both sides."""
    long = "x" * 90
    broken = ToolCall(long, "lookup", None, malformed='{"q": ')
    sent = items(user(), assistant(broken), answer(error="bad", id=long))
    assert sent[1]["arguments"] == "{}"
    assert len(sent[1]["call_id"]) == 64
    assert sent[1]["call_id"] == sent[2]["call_id"]


def test_own_reasoning() -> None:
    """Reasoning goes back unchanged before what it led to, but for members that have nothing."""
    sent = items(user(), assistant(own(opaque_reasoning(ITEM)), call()), answer(1))
    assert sent[1] == {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "e"}
    assert sent[2]["type"] == "function_call"


def test_phase() -> None:
    """A text's label goes back with the text, and with no other."""
    said = assistant(own(opaque_phase("commentary"), ""), Text("a"), Text("b"))
    assert items(user(), said)[1:] == [
        {"role": "assistant", "content": "a", "phase": "commentary"},
        {"role": "assistant", "content": "b"},
    ]


def test_reasoning_that_led_to_nothing() -> None:
    """Reasoning that the turn broke off after is left out: the API refuses it alone."""
    sent = items(user(), assistant(own(opaque_reasoning(ITEM))), user("go on"))
    assert [item.get("role") for item in sent] == ["user", "user"]


def test_unencrypted_reasoning() -> None:
    """Reasoning without its encrypted content cannot go back: nothing is stored at the provider."""
    assert opaque_reasoning({**ITEM, "encrypted_content": None}) == b""


@pytest.mark.parametrize(
    "opaque", [None, Opaque("claude", GPT, opaque_reasoning(ITEM)), Opaque("gpt", "gpt-6-luna", opaque_reasoning(ITEM))]
)
def test_foreign_reasoning(opaque: Opaque | None) -> None:
    """Thinking of another provider or model is left out."""
    assert items(user(), assistant(Thinking("hm", opaque), Text("a")))[1:] == [{"role": "assistant", "content": "a"}]


@pytest.mark.parametrize("text", ["", " \n"])
def test_no_empty_text(text: str) -> None:
    """Empty text is not sent, and neither is a message that has nothing else."""
    assert len(items(user("a"), assistant(Text(text)), Message("user", (Text(text),)))) == 1


def test_name_of_another_kind() -> None:
    """State of a kind that had the provider's name before is left out."""
    assert len(items(user(), assistant(own(b'{"signature":"s"}'), Text("a")))) == 2
