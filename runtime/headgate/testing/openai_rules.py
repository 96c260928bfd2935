"""What the mock of OpenAI's APIs refuses, as the real ones do.

Sources: https://developers.openai.com/api/docs/api-reference/responses and /chat, and the error messages of the APIs.
The first thing that is wrong is named; rules that no client of this project can break are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

_RESPONSES = frozenset({"model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "stream"}) | {
    "store", "include", "reasoning", "max_output_tokens", "prompt_cache_key", "metadata", "text", "truncation",
}  # fmt: skip
_CHAT = frozenset({"model", "messages", "tools", "tool_choice", "parallel_tool_calls", "stream", "stream_options"}) | {
    "max_tokens", "max_completion_tokens", "reasoning_effort", "prompt_cache_key", "response_format", "metadata",
}  # fmt: skip
_ITEMS: Mapping[str, frozenset[str]] = {
    "message": frozenset({"role", "content", "phase"}),
    "reasoning": frozenset({"id", "summary", "encrypted_content", "content"}),
    "function_call": frozenset({"call_id", "name", "arguments", "id", "namespace"}),
    "function_call_output": frozenset({"call_id", "output"}),
}
_MESSAGES: Mapping[str, frozenset[str]] = {
    "system": frozenset({"content"}),
    "user": frozenset({"content"}),
    "assistant": frozenset({"content", "tool_calls", "refusal"}),
    "tool": frozenset({"content", "tool_call_id"}),
}
_EXTRA = frozenset({"reasoning_content", "reasoning", "reasoning_text", "reasoning_details"})
_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PARTS = frozenset({"input_text", "input_image", "input_file"})
_CHAT_PARTS = frozenset({"text", "image_url", "file"})


def responses_complaint(body: Any) -> str | None:
    """Why the Responses API would answer 400, or None."""
    return next(_responses(body), None) if isinstance(body, dict) else "the body must be an object"


def chat_complaint(body: Any, *, compatible: bool = False) -> str | None:
    """Why Chat Completions would answer 400, or None; a `compatible` server knows members for thinking, too."""
    return next(_chat(body, compatible=compatible), None) if isinstance(body, dict) else "the body must be an object"


def _responses(body: dict[str, Any]) -> Iterator[str]:
    yield from (f"Unknown parameter: '{key}'." for key in sorted(body.keys() - _RESPONSES))
    yield from (f"Missing required parameter: '{key}'." for key in ("model", "input") if not body.get(key))
    if body.get("max_output_tokens", 16) < 16:
        yield "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16."
    if len(body.get("prompt_cache_key", "")) > 64:
        yield "Invalid 'prompt_cache_key': string too long. Expected a string with maximum length 64."
    if (body.get("reasoning") or {}).get("effort", "low") not in _EFFORTS:
        yield "Invalid value for 'reasoning.effort'."
    for index, tool in enumerate(body.get("tools", [])):
        yield from _tool(f"tools[{index}]", tool)
    items = body["input"]
    yield from _input([{"role": "user", "content": items}] if isinstance(items, str) else items)


def _tool(where: str, tool: Mapping[str, Any]) -> Iterator[str]:
    if not _NAME.fullmatch(tool.get("name", "")):
        yield f"Invalid '{where}.name': string does not match pattern '^[a-zA-Z0-9_-]+$'."
    schema = tool.get("parameters")
    if not isinstance(schema, dict) or schema.get("type") != "object" or "properties" not in schema:
        yield f"Invalid schema for function '{tool.get('name')}': object schema missing properties."
    if tool.get("strict") and schema and set(schema.get("required", ())) != set(schema.get("properties", ())):
        yield f"Invalid schema for function '{tool.get('name')}': 'required' must name every property."


def _input(items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    called: set[str] = set()
    answered: set[str] = set()
    for index, item in enumerate(items):
        where, kind = f"input[{index}]", item.get("type", "message")
        if kind not in _ITEMS:
            yield f"Invalid value: '{kind}' for '{where}.type'."
        yield from (f"Unknown parameter: '{where}.{key}'." for key in sorted(item.keys() - _ITEMS[kind] - {"type"}))
        if kind == "message":
            yield from _content(where, item)
        elif kind == "reasoning":
            yield from _reasoning(where, item, items[index + 1] if index + 1 < len(items) else {})
        elif kind == "function_call":
            yield from _called(where, item, called)
            called.add(item["call_id"])
        else:
            yield from _answered(item, called, answered)
            answered.add(item["call_id"])
    yield from (f"No tool output found for function call {id}." for id in sorted(called - answered))


def _content(where: str, item: Mapping[str, Any]) -> Iterator[str]:
    if item.get("role") not in ("user", "assistant", "system", "developer"):
        yield f"Invalid value for '{where}.role'."
    content = item.get("content")
    if not content:
        yield f"Missing required parameter: '{where}.content'."
    for part in content if isinstance(content, list) else ():
        allowed = _PARTS if item["role"] == "user" else {"output_text"}
        if part.get("type") not in allowed:
            yield f"Invalid value: '{part.get('type')}' for '{where}.content'."


def _reasoning(where: str, item: Mapping[str, Any], following: Mapping[str, Any]) -> Iterator[str]:
    if not item.get("encrypted_content"):
        yield f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false."
    if following.get("type") not in ("reasoning", "function_call") and following.get("role") != "assistant":
        yield f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item ({where})."


def _called(where: str, item: Mapping[str, Any], called: set[str]) -> Iterator[str]:
    if not isinstance(item.get("arguments"), str):
        yield f"Invalid type for '{where}.arguments': expected a string."
    if not 0 < len(item.get("call_id", "")) <= 64:
        yield f"Invalid '{where}.call_id': string too long. Expected a string with maximum length 64."
    if item["call_id"] in called:
        yield f"Duplicate item found with call_id {item['call_id']}."


def _answered(item: Mapping[str, Any], called: set[str], answered: set[str]) -> Iterator[str]:
    if item.get("call_id") not in called:
        yield f"No tool call found for function call output with call_id {item.get('call_id')}."
    if item.get("call_id") in answered:
        yield f"Duplicate output for call_id {item.get('call_id')}."
    output = item.get("output")
    if not isinstance(output, str) and not all(part.get("type") in _PARTS for part in output or [{}]):
        yield "Invalid value for 'output'."


def _chat(body: dict[str, Any], *, compatible: bool) -> Iterator[str]:
    extra = {"reasoning", "thinking", "chat_template_kwargs"} if compatible else set()
    yield from (f"Unknown parameter: '{key}'." for key in sorted(body.keys() - _CHAT - extra))
    yield from (f"Missing required parameter: '{key}'." for key in ("model", "messages") if not body.get(key))
    if body.get("reasoning_effort", "low") not in _EFFORTS:
        yield "Invalid value for 'reasoning_effort'."
    for index, tool in enumerate(body.get("tools", [])):
        yield from _tool(f"tools[{index}].function", tool.get("function") or {})
    pending: list[str] = []
    for index, message in enumerate(body["messages"]):
        yield from _message(f"messages[{index}]", message, compatible=compatible)
        yield from _order(f"messages[{index}]", message, pending)
        if message["role"] == "tool":
            pending.remove(message["tool_call_id"])
        pending += [call["id"] for call in message.get("tool_calls", ())]
    if pending:
        yield f"An assistant message with 'tool_calls' must be followed by tool messages; missing: {pending}"


def _message(where: str, message: Mapping[str, Any], *, compatible: bool) -> Iterator[str]:
    role = message.get("role", "")
    if role not in _MESSAGES:
        yield f"Invalid value: '{role}' for '{where}.role'."
    allowed = _MESSAGES[role] | {"role"} | (_EXTRA if compatible else set())
    yield from (f"Unknown parameter: '{where}.{key}'." for key in sorted(message.keys() - allowed))
    content = message.get("content")
    if content is None and not message.get("tool_calls"):
        yield f"Invalid value for '{where}.content': expected a string, got null."
    if isinstance(content, list):
        kinds = {"text"} if role != "user" else _CHAT_PARTS
        yield from (f"Invalid content type for '{where}'." for part in content if part.get("type") not in kinds)
    for call in message.get("tool_calls", ()):
        if not 0 < len(call.get("id", "")) <= 40:
            yield f"Invalid '{where}.tool_calls.id': string too long. Expected a string with maximum length 40."
        yield from _arguments(where, call.get("function", {}).get("arguments"))
        known = {"id", "type", "function"} | ({"extra_content"} if compatible else set())
        yield from (f"Unknown parameter: '{where}.tool_calls.{key}'." for key in sorted(call.keys() - known))


def _arguments(where: str, raw: Any) -> Iterator[str]:
    try:
        whole = isinstance(msgspec.json.decode(raw), dict)
    except (msgspec.DecodeError, TypeError):
        whole = False
    if not whole:
        yield f"Invalid '{where}.tool_calls.function.arguments': not a JSON object."


def _order(where: str, message: Mapping[str, Any], pending: Sequence[str]) -> Iterator[str]:
    if message["role"] == "tool":
        if message.get("tool_call_id") not in pending:
            yield f"{where}: messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
    elif pending:
        yield f"{where}: an assistant message with 'tool_calls' must be followed by tool messages; missing: {pending}"
