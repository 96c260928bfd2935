"""The shapes in which the mock of OpenAI's APIs sends a reply: streamed or whole, on either endpoint."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec

from headgate.testing.openai_replies import Block, Reply, chat_usage, numbered, responses_usage

_IDS = itertools.count(1)
_DELTAS = {
    "text": "response.output_text.delta",
    "refusal": "response.refusal.delta",
    "thinking": "response.reasoning_summary_text.delta",
    "tool": "response.function_call_arguments.delta",
}


def responses(reply: Reply, model: str) -> Iterator[bytes]:
    """The frames of the Responses API."""
    return iter(reply.frames) if reply.frames is not None else numbered(_events(reply, model))


def response(reply: Reply, model: str) -> dict[str, Any]:
    """One whole response."""
    items = [_item(block, index) for index, block in enumerate(reply.blocks)]
    return {**_response(model), **_ending(reply), "output": items}


def chat(reply: Reply, model: str) -> Iterator[bytes]:
    """The frames of Chat Completions."""
    if reply.frames is not None:
        yield from reply.frames
        return
    for chunk in _chunks(reply, model):
        yield b"data: " + msgspec.json.encode(chunk) + b"\n\n"
    if reply.end and reply.failure is None:
        yield b"data: [DONE]\n\n"


def completion(reply: Reply, model: str) -> dict[str, Any]:
    """One whole completion."""
    said = "".join(block.whole for block in reply.blocks if block.kind == "text")
    calls = [_call(block, block.whole) for block in reply.blocks if block.kind == "tool"]
    message = {"role": "assistant", "content": said or None, **({"tool_calls": calls} if calls else {})}
    choice = {"index": 0, "message": message, "finish_reason": _finish(reply)}
    return {**_chunk(model), "object": "chat.completion", "choices": [choice], "usage": chat_usage(reply)}


def _events(reply: Reply, model: str) -> Iterator[dict[str, Any]]:
    begun = _response(model)
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, block in enumerate(reply.blocks):
        item = _item(block, index)
        yield {"type": "response.output_item.added", "output_index": index, "item": _empty(item)}
        if block.kind == "thinking":
            yield {"type": "response.reasoning_summary_part.added", "output_index": index, "summary_index": 0}
        for piece in block.pieces:
            yield {"type": _DELTAS[block.kind], "output_index": index, "item_id": item["id"], "delta": piece}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    if reply.failure is not None:
        yield {"type": "response.failed", "response": {**begun, "status": "failed", "error": reply.failure}}
        return
    ending = _ending(reply)
    yield {"type": f"response.{ending['status']}", "response": {**begun, **ending}}


def _response(model: str) -> dict[str, Any]:
    return {
        "id": f"resp_{next(_IDS):04}",
        "object": "response",
        "created_at": 1,
        "status": "in_progress",
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "usage": None,
    }


def _ending(reply: Reply) -> dict[str, Any]:
    usage = responses_usage(reply)
    if reply.incomplete is None:
        return {"status": "completed", "usage": usage}
    return {"status": "incomplete", "incomplete_details": {"reason": reply.incomplete}, "usage": usage}


def _item(block: Block, index: int) -> dict[str, Any]:
    id = f"item_{next(_IDS):04}_{index}"
    if block.kind == "thinking":
        summary = [{"type": "summary_text", "text": block.whole}] if block.pieces else []
        return {"id": id, "type": "reasoning", "summary": summary, "encrypted_content": block.secret}
    done = {"id": id, "status": "completed"}
    if block.kind == "tool":
        called = {"call_id": block.id, "name": block.name, "arguments": block.whole}
        return {**done, "type": "function_call", **called}
    said = {"type": "output_text", "text": block.whole, "annotations": []}
    content = said if block.kind == "text" else {"type": "refusal", "refusal": block.whole}
    label = {"phase": block.phase} if block.phase else {}
    return {**done, "type": "message", "role": "assistant", "content": [content], **label}


def _empty(item: dict[str, Any]) -> dict[str, Any]:
    """The item as it is announced: what is streamed, and the encrypted reasoning, are not in it yet."""
    hollow: dict[str, Any] = {
        "content": [],
        "summary": [],
        "arguments": "",
        "encrypted_content": None,
        "status": "in_progress",
    }
    return {name: hollow.get(name, value) for name, value in item.items()}


def _chunks(reply: Reply, model: str) -> Iterator[dict[str, Any]]:
    base = _chunk(model)
    yield {**base, "choices": [_choice({"role": "assistant", "content": ""})]}
    calls = 0
    for block in reply.blocks:
        for delta in _deltas(block, calls, reply.thinking_field):
            yield {**base, "choices": [_choice(delta)]}
        calls += block.kind == "tool"
    if reply.failure is not None:
        yield {**base, "error": reply.failure, "choices": []}
        return
    yield {**base, "choices": [_choice({}, _finish(reply))]}
    if (usage := chat_usage(reply)) is not None:
        yield {**base, "choices": [], "usage": usage}


def _chunk(model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{next(_IDS):04}", "object": "chat.completion.chunk", "created": 1, "model": model}


def _choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _finish(reply: Reply) -> str | None:
    if reply.finish != "":
        return reply.finish
    if reply.incomplete is not None:
        return "length"
    return "tool_calls" if any(block.kind == "tool" for block in reply.blocks) else "stop"


def _deltas(block: Block, index: int, field: str) -> Iterator[dict[str, Any]]:
    if block.kind == "tool":
        yield {"tool_calls": [{"index": index, **_call(block, "")}]}
        for piece in block.pieces:
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
        return
    name = {"text": "content", "refusal": "refusal", "thinking": field}[block.kind]
    for piece in block.pieces:
        yield {name: piece}


def _call(block: Block, raw: str) -> dict[str, Any]:
    return {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": raw}}
