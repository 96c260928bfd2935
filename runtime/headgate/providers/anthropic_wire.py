"""From provider-neutral requests to the body of Anthropic's Messages API (version 2026-10-21).

Source: https://platform.claude.com/docs/en/api/messages. What the API refuses is never sent: empty text, thinking
that another model made, two messages of one role in a row, a tool result behind other content.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from headgate.core.messages import (
    Content,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolOutcome,
    ToolResult,
)
from headgate.core.ports import ModelRequest, ToolDefinition

Block = dict[str, Any]

DEFAULT_MAX_TOKENS = 16_000
"""Output tokens when neither the request nor the manifest says; thinking counts among them."""
MIN_BUDGET = 1_024
"""The API's smallest thinking budget."""
CACHED: Block = {"type": "ephemeral"}
"""A cache breakpoint of five minutes. A request has at most three: system, tools, the newest user message."""

_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_OPAQUE = (b'{"signature":', b'{"redacted":')
"""How the opaque data of this module begin; a provider's name may have belonged to another kind before."""
_FOREIGN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_encode = msgspec.json.Encoder().encode


def encode_request(
    request: ModelRequest, *, provider: str, max_tokens: int | None = None, thinking: str | int | None = None
) -> bytes:
    """The JSON body of a streaming request.

    `provider` is the name under which opaque parts were stored. `max_tokens` and `thinking` are the manifest's, and
    count where the request has none. NaN and infinities become null: they are not JSON.
    """
    thinking = thinking if request.thinking is None else request.thinking
    limit = request.max_output_tokens or max_tokens or _default_limit(thinking)
    messages = _messages(request, provider)
    if isinstance(thinking, int) and _resumes_unthought(messages):
        thinking = None
    body = {
        "model": request.model,
        "max_tokens": limit,
        "stream": True,
        "messages": messages,
        **_thinking(thinking, limit, request.model),
    }
    if request.system.strip():
        body["system"] = [{"type": "text", "text": request.system, "cache_control": CACHED}]
    if request.tools:
        body["tools"] = _tools(request.tools)
    return _encode(body)


def _default_limit(thinking: str | int | None) -> int:
    return DEFAULT_MAX_TOKENS + (thinking if isinstance(thinking, int) else 0)


def _thinking(value: str | int | None, limit: int, model: str) -> Block:
    """The `thinking` and `output_config` members: an effort is adaptive thinking, a number a budget of tokens."""
    if value is None:
        return {}
    if value == "off":
        # This model refuses `disabled`; `between_tools` is its way to switch thinking off.
        return {"thinking": {"type": "between_tools" if "claude-sonnet-5-5" in model else "disabled"}}
    if isinstance(value, int):
        # The budget must stay below max_tokens; half of them keeps room for the answer.
        budget = value if value < limit else limit // 2
        if budget < MIN_BUDGET:
            return {}
        return {"thinking": {"type": "enabled", "budget_tokens": budget, "display": "summarized"}}
    adaptive: Block = {"thinking": {"type": "adaptive", "display": "summarized"}}
    return adaptive if value == "adaptive" else {**adaptive, "output_config": {"effort": value}}


def _resumes_unthought(messages: Sequence[Block]) -> bool:
    """Whether the turn goes on after tool calls made without thinking: the API refuses a thinking budget there."""
    if len(messages) < 2 or messages[-1]["content"][0]["type"] != "tool_result":
        return False
    return messages[-2]["content"][0]["type"] not in ("thinking", "redacted_thinking")


def _tools(tools: Sequence[ToolDefinition]) -> list[Block]:
    out: list[Block] = []
    for tool in tools:
        block: Block = {"name": tool.name, "input_schema": tool.input_schema}
        if tool.description:
            block["description"] = tool.description
        out.append(block)
    out[-1]["cache_control"] = CACHED
    return out


def _messages(request: ModelRequest, provider: str) -> list[Block]:
    out: list[Block] = []
    for message in request.messages:
        blocks = list(_blocks(message, provider, request.model))
        if not blocks:
            continue
        if out and out[-1]["role"] == message.role:
            out[-1]["content"] += blocks
        else:
            out.append({"role": message.role, "content": blocks})
    users = [each for each in out if each["role"] == "user"]
    for each in users:
        # The API wants the answers to tool calls before anything else; sorting keeps the order otherwise.
        each["content"].sort(key=lambda block: block["type"] != "tool_result")
    if users:
        users[-1]["content"][-1]["cache_control"] = CACHED
    return out


def _blocks(message: Message, provider: str, model: str) -> Iterator[Block]:
    for part in message.parts:
        block = _assistant(part, provider, model) if message.role == "assistant" else _user(part)
        if block is not None:
            yield block


def _assistant(part: Part, provider: str, model: str) -> Block | None:
    match part:
        case Text(text):
            return _text(text)
        case Thinking(text, Opaque(provider=maker, model=made_with, data=data)):
            return _thought(text, data) if (maker, made_with) == (provider, model) else None
        case ToolCall():
            # The API demands an object, also for a call whose arguments could not be read.
            return {"type": "tool_use", "id": call_id(part.id), "name": part.name, "input": part.args or {}}
    return None


def _user(part: Part) -> Block | None:
    match part:
        case ToolOutcome():
            return _outcome(part)
        case Text() | Image() | File():
            return _content(part)
    return None


def _text(text: str) -> Block | None:
    return {"type": "text", "text": text} if text.strip() else None


def _thought(text: str, data: bytes) -> Block | None:
    if not data.startswith(_OPAQUE):
        return None
    state = thought_state(data)
    if "redacted" in state:
        return {"type": "redacted_thinking", "data": state["redacted"]}
    return {"type": "thinking", "thinking": text, "signature": state.get("signature", "")}


def _content(part: Content) -> Block | None:
    match part:
        case Text(text):
            return _text(text)
        case Image(media_type, data) if media_type in _IMAGES:
            return {"type": "image", "source": _source(media_type, data)}
        case File(name, "application/pdf", data):
            return {"type": "document", "title": name, "source": _source("application/pdf", data)}
        case File(name, media_type, data) if media_type.startswith("text/"):
            text = data.decode("utf-8", "replace")
            source = {"type": "text", "media_type": "text/plain", "data": text}
            return {"type": "document", "title": name, "source": source} if text.strip() else None
    return {"type": "text", "text": f"[{part.media_type} content, which this model cannot read]"}


def _source(media_type: str, data: bytes) -> Block:
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode("ascii")}


def _outcome(part: ToolOutcome) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": call_id(part.call_id)}
    content = list(_result(part.result))
    if content:
        block["content"] = content
    if part.result.status != "ok" or part.result.error is not None:
        block["is_error"] = True
    return block


def _result(result: ToolResult) -> Iterator[Block]:
    """The error or the structured data as JSON, else the text; images and documents besides."""
    shown: Iterable[Content] = result.content
    if result.error is not None or result.structured is not None:
        yield {"type": "text", "text": _encode(result.payload).decode("utf-8")}
        shown = (part for part in shown if not isinstance(part, Text))
    for part in shown:
        block = _content(part)
        if block is not None:
            yield block


def call_id(text: str) -> str:
    """A tool call's id in the alphabet that the API accepts; ids of other providers may have other characters."""
    return _FOREIGN_ID.sub("_", text)


def opaque_thought(*, signature: str = "", redacted: str = "") -> bytes:
    """What must go back unchanged with a thinking block, as `Opaque.data`."""
    return _encode({"redacted": redacted} if redacted else {"signature": signature})


def thought_state(data: bytes) -> dict[str, str]:
    """The inverse of `opaque_thought`."""
    return msgspec.json.decode(data, type=dict[str, str])
