"""What the mock of OpenAI's APIs answers: small builders for turns, errors and broken streams, on either endpoint."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from headgate.testing.model_replies import ModelReply

Kind = Literal["text", "refusal", "thinking", "tool"]
_IDS = itertools.count(1)
_USAGE = (10, 5)


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of an answer; `pieces` is what is streamed of it."""

    kind: Kind
    pieces: tuple[str, ...]
    id: str = ""
    name: str = ""
    secret: str | None = None
    phase: str | None = None

    @property
    def whole(self) -> str:
        """All pieces together."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Reply(ModelReply):
    """One scripted answer, on both endpoints.

    `usage` is prompt and output tokens, or the API's own object. `incomplete` is why the Responses API stops early;
    `finish` is what Chat Completions says, None for nothing and empty for what the blocks call for. `failure` breaks
    the turn off with an error event. `thinking_field` is the member with a chat's thinking. `end` is whether a chat
    ends with `[DONE]`. `frames` are played as they are, in place of all this.
    """

    blocks: tuple[Block, ...] = ()
    usage: Mapping[str, Any] | tuple[int, int] | None = _USAGE
    incomplete: str | None = None
    finish: str | None = ""
    failure: Mapping[str, Any] | None = None
    thinking_field: str = "reasoning_content"
    end: bool = True
    frames: tuple[bytes, ...] | None = None


def text(*pieces: str, phase: str | None = None) -> Block:
    """Text that grows piece by piece."""
    return Block("text", pieces, phase=phase)


def refusal(*pieces: str) -> Block:
    """The model's own words for that it will not."""
    return Block("refusal", pieces)


def thinking(*pieces: str, secret: str | None = "encrypted") -> Block:
    """Thinking; on the Responses API each piece is a delta of the summary, and `secret` the encrypted reasoning."""
    return Block("thinking", pieces, secret=secret)


def tool(name: str, args: Mapping[str, Any] | str, *, id: str | None = None, size: int = 8) -> Block:
    """A tool call whose arguments arrive as JSON in pieces of `size` characters; a string is sent as it is."""
    raw = args if isinstance(args, str) else msgspec.json.encode(args).decode()
    pieces = tuple(raw[at : at + size] for at in range(0, len(raw), size))
    return Block("tool", pieces, f"call_{next(_IDS):04}" if id is None else id, name)


def turn(*blocks: Block, **more: Any) -> Reply:
    """A whole turn; `more` are members of `Reply`."""
    return replace(Reply(blocks=blocks), **more)


def failing(*blocks: Block, code: str | int = "server_error", message: str = "boom", **more: Any) -> Reply:
    """A turn that breaks off with an error inside the stream."""
    return turn(*blocks, failure={"code": code, "message": message}, **more)


def raw(*chunks: Mapping[str, Any] | bytes) -> Reply:
    """Chunks of any shape, each in its frame; bytes are the data itself."""
    frames = (chunk if isinstance(chunk, bytes) else msgspec.json.encode(chunk) for chunk in chunks)
    return Reply(frames=tuple(b"data: " + frame + b"\n\n" for frame in frames))


def error(
    status: int, code: str | None, message: str, headers: Mapping[str, str] | None = None, *, type: str = "error"
) -> Reply:
    """An error answer."""
    body = {"error": {"message": message, "type": type, "param": None, "code": code}}
    return Reply(status=status, headers=headers or {}, body=body)


def responses_usage(reply: Reply) -> Mapping[str, Any] | None:
    """The usage object of the Responses API."""
    if not isinstance(reply.usage, tuple):
        return reply.usage
    read, written = reply.usage
    return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}


def chat_usage(reply: Reply) -> Mapping[str, Any] | None:
    """The usage object of Chat Completions."""
    if not isinstance(reply.usage, tuple):
        return reply.usage
    read, written = reply.usage
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def numbered(events: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Frames with the event's name and its number in the stream."""
    for number, event in enumerate(events):
        data = msgspec.json.encode({**event, "sequence_number": number})
        yield b"event: " + event["type"].encode() + b"\ndata: " + data + b"\n\n"
