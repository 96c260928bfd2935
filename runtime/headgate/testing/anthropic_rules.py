"""What the mock of Anthropic's API refuses, as the real one does.

Source: https://platform.claude.com/docs/en/api/messages and the error messages of the API. The first thing that is
wrong is named; rules that no client of this project can break are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_REQUIRED = ("model", "max_tokens", "messages")
_OPTIONAL = ("system", "tools", "tool_choice", "thinking", "output_config", "stream", "metadata", "stop_sequences")
_SERVICE = ("cache_control", "container", "diagnostics", "inference_geo", "service_tier", "speed")
_BODY = frozenset({*_REQUIRED, *_OPTIONAL, *_SERVICE})
_BLOCKS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"text", "citations"}),
    "image": frozenset({"source"}),
    "document": frozenset({"source", "title", "context", "citations"}),
    "tool_use": frozenset({"id", "name", "input", "caller", "toolset_name"}),
    "tool_result": frozenset({"tool_use_id", "content", "is_error", "toolset_name"}),
    "thinking": frozenset({"thinking", "signature"}),
    "redacted_thinking": frozenset({"data"}),
}
_UNCACHED = frozenset({"thinking", "redacted_thinking"})
_TOOL = frozenset({"name", "description", "input_schema", "cache_control", "type"})
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ID = re.compile(r"[a-zA-Z0-9_-]+")


def complaint(body: Any) -> str | None:
    """Why the API would answer 400, or None."""
    if not isinstance(body, dict):
        return "the body must be an object"
    return next(_complaints(body), None)


def breakpoints(body: Any) -> int:
    """How many cache breakpoints the request has."""
    if isinstance(body, dict):
        return ("cache_control" in body) + sum(breakpoints(each) for each in body.values())
    return sum(breakpoints(each) for each in body) if isinstance(body, list) else 0


def _complaints(body: dict[str, Any]) -> Iterator[str]:
    yield from (f"{key}: Extra inputs are not permitted" for key in body.keys() - _BODY)
    yield from (f"{key}: Field required" for key in _REQUIRED if key not in body)
    limit = body["max_tokens"]
    if not isinstance(limit, int) or limit < 1:
        yield "max_tokens: must be greater than or equal to 1"
    if breakpoints(body) > 4:
        yield "A maximum of 4 blocks with cache_control may be provided"
    if isinstance(body.get("system"), list):
        yield from _contents("system", body["system"])
    yield from _tools(body.get("tools", []))
    yield from _thinking(body.get("thinking") or {}, limit)
    yield from _messages(body["messages"])


def _tools(tools: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = [tool.get("name", "") for tool in tools]
    if len(set(names)) < len(names):
        yield "tools: Tool names must be unique."
    for index, tool in enumerate(tools):
        yield from (f"tools.{index}.{key}: Extra inputs are not permitted" for key in tool.keys() - _TOOL)
        if not _NAME.fullmatch(tool.get("name", "")):
            yield f"tools.{index}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        schema = tool.get("input_schema")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            yield f"tools.{index}.input_schema.type: Field required"


def _thinking(thinking: Mapping[str, Any], limit: int) -> Iterator[str]:
    if thinking.get("type", "disabled") not in ("disabled", "enabled", "adaptive", "between_tools"):
        yield "thinking.type: unknown"
    if thinking.get("type") == "enabled" and not 1024 <= thinking.get("budget_tokens", 0) < limit:
        yield "max_tokens must be greater than thinking.budget_tokens, which must be at least 1024"


def _messages(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not messages:
        yield "messages: at least one message is required"
    if messages[0].get("role") != "user":
        yield "messages: first message must use the user role"
    asked: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        yield from (f"{where}.{key}: Extra inputs are not permitted" for key in message.keys() - {"role", "content"})
        if message.get("role") not in ("user", "assistant"):
            yield f"{where}.role: Input should be 'user' or 'assistant'"
        blocks = _blocks(message.get("content"))
        if not blocks:
            yield f"{where}: all messages must have non-empty content"
        yield from _contents(where, blocks)
        yield from _answers(where, asked, blocks)
        asked = {block["id"] for block in blocks if block.get("type") == "tool_use"}
    if asked:
        yield f"messages: `tool_use` ids were found without `tool_result` blocks immediately after: {sorted(asked)}"


def _blocks(content: Any) -> Sequence[Mapping[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def _contents(where: str, blocks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for index, block in enumerate(blocks):
        place, kind = f"{where}.content.{index}", block.get("type", "")
        if kind not in _BLOCKS:
            yield f"{place}.type: unknown block type {kind!r}"
        allowed = _BLOCKS[kind] | {"type"} | (set() if kind in _UNCACHED else {"cache_control"})
        yield from (f"{place}.{kind}.{key}: Extra inputs are not permitted" for key in block.keys() - allowed)
        if kind == "text" and not block["text"].strip():
            yield f"{place}: text content blocks must contain non-whitespace text"
        if kind == "tool_use":
            yield from _call(place, block)
        if kind == "tool_result":
            yield from _contents(place, _blocks(block.get("content")))


def _call(place: str, block: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(block.get("input"), dict):
        yield f"{place}.tool_use.input: Input should be a valid dictionary"
    if not _ID.fullmatch(block.get("id", "")):
        yield f"{place}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"


def _answers(where: str, asked: set[str], blocks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    kinds = [block.get("type") for block in blocks]
    answered = [block["tool_use_id"] for block in blocks if block.get("type") == "tool_result"]
    if kinds[: len(answered)] != ["tool_result"] * len(answered):
        yield f"{where}: `tool_result` blocks must come first"
    if set(answered) - asked:
        yield f"{where}: unexpected `tool_use_id` found in `tool_result` blocks: {sorted(set(answered) - asked)}"
    if len(set(answered)) < len(answered):
        yield f"{where}: each tool_use must have a single result"
    if asked - set(answered):
        yield f"{where}: `tool_use` ids were found without `tool_result` blocks immediately after"
