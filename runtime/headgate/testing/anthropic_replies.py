"""What the mock of Anthropic's API answers: small builders for turns, errors and broken streams."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from headgate.testing.model_replies import ModelReply

_IDS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Block:
    """One content block: how it starts, what it grows by, and how it looks in an answer that is not streamed."""

    start: Mapping[str, Any]
    deltas: tuple[Mapping[str, Any], ...]
    whole: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply(ModelReply):
    """One scripted answer: the blocks are streamed, then `failure` as an event, if there is one."""

    blocks: tuple[Block, ...] = ()
    stop: str = "end_turn"
    usage: Mapping[str, Any] = field(default_factory=lambda: {"input_tokens": 10, "output_tokens": 5})
    failure: Mapping[str, Any] | None = None

    def events(self, model: str) -> Iterator[bytes]:
        """The events of the stream, each in its frame."""
        counted = {name: count for name, count in self.usage.items() if not name.startswith("output_tokens")}
        yield _frame("message_start", message={**_message(model), "usage": {**counted, "output_tokens": 1}})
        yield _frame("ping")
        for index, block in enumerate(self.blocks):
            yield _frame("content_block_start", index=index, content_block=block.start)
            for delta in block.deltas:
                yield _frame("content_block_delta", index=index, delta=delta)
            yield _frame("content_block_stop", index=index)
        if self.failure is not None:
            yield _frame("error", error=self.failure)
            return
        yield _frame("message_delta", delta={"stop_reason": self.stop, "stop_sequence": None}, usage=self.usage)
        yield _frame("message_stop")

    def message(self, model: str) -> dict[str, Any]:
        """The same turn as one JSON message."""
        content = [block.whole for block in self.blocks]
        return {**_message(model), "content": content, "stop_reason": self.stop, "usage": self.usage}


def text(*pieces: str) -> Block:
    """A text block that grows piece by piece."""
    deltas = tuple({"type": "text_delta", "text": piece} for piece in pieces)
    return Block({"type": "text", "text": ""}, deltas, {"type": "text", "text": "".join(pieces)})


def thinking(*pieces: str, signature: str = "signature") -> Block:
    """A thinking block, signed at its end."""
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    signed = {"type": "signature_delta", "signature": signature}
    start = {"type": "thinking", "thinking": "", "signature": ""}
    return Block(start, (*deltas, signed), {**start, "thinking": "".join(pieces), "signature": signature})


def redacted(data: str) -> Block:
    """A thinking block that only the API can read."""
    block = {"type": "redacted_thinking", "data": data}
    return Block(block, (), block)


def tool(name: str, args: Mapping[str, Any] | str, *, id: str | None = None, size: int = 8) -> Block:
    """A tool call whose arguments arrive as JSON in pieces of `size` characters; a string is sent as it is."""
    raw = args if isinstance(args, str) else msgspec.json.encode(args).decode()
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    deltas = tuple({"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces))
    start = {"type": "tool_use", "id": id or f"toolu_{next(_IDS):04}", "name": name, "input": {}}
    return Block(start, deltas, {**start, "input": {} if isinstance(args, str) else args})


def turn(*blocks: Block, stop: str | None = None, usage: Mapping[str, Any] | None = None) -> Reply:
    """A whole turn; it stops for its tools when it has any, unless `stop` says otherwise."""
    calls = any(block.start["type"] == "tool_use" for block in blocks)
    reply = Reply(blocks, stop or ("tool_use" if calls else "end_turn"))
    return reply if usage is None else replace(reply, usage=usage)


def failing(*blocks: Block, type: str = "overloaded_error", message: str = "Overloaded") -> Reply:
    """A turn that breaks off with an `error` event inside the stream."""
    return Reply(blocks, failure={"type": type, "message": message})


def error(status: int, type: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """An error answer."""
    body = {"type": "error", "error": {"type": type, "message": message}, "request_id": "req_mock"}
    return Reply(status=status, headers=headers or {}, body=body)


def _message(model: str) -> dict[str, Any]:
    return {
        "id": f"msg_{next(_IDS):04}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _frame(type: str, **members: Any) -> bytes:
    data = msgspec.json.encode({"type": type, **members})
    return b"event: " + type.encode() + b"\ndata: " + data + b"\n\n"
