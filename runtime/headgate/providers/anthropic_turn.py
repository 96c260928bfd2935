"""From the stream events of Anthropic's Messages API to one turn.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming. Events are decoded with msgspec into the few
members that are used; unknown events, blocks and members are passed over, as the API's versioning policy asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from headgate.core.errors import ProviderError
from headgate.core.messages import Message, Opaque, Part, StopReason, Text, Thinking, ToolCall, Usage
from headgate.core.ports import TextChunk, ThinkingChunk, TurnDone
from headgate.providers import prices
from headgate.providers.anthropic_wire import opaque_thought
from headgate.providers.calls import read_call
from headgate.providers.failures import UNREADABLE, from_status

_STOPS: dict[str | None, StopReason] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "tool_use": "tools",
    "max_tokens": "length",
    "refusal": "refusal",
    "pause_turn": "pause",
    "model_context_window_exceeded": "context",
}
_UNFINISHED = frozenset({"length", "context", "refusal"})
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class _CacheCreation(msgspec.Struct, frozen=True):
    ephemeral_1h_input_tokens: int | None = None


class _OutputDetails(msgspec.Struct, frozen=True):
    thinking_tokens: int | None = None


class _Counts(msgspec.Struct, frozen=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    output_tokens_details: _OutputDetails | None = None


class _Start(msgspec.Struct, frozen=True):
    model: str = ""
    usage: _Counts | None = None


class _Block(msgspec.Struct, frozen=True):
    type: str = ""
    id: str = ""
    name: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    input: Any = None


class _Delta(msgspec.Struct, frozen=True):
    type: str = ""
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    signature: str = ""
    stop_reason: str | None = None


class _Failure(msgspec.Struct, frozen=True):
    type: str = ""
    message: str = ""


class _Event(msgspec.Struct, frozen=True):
    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Start | None = None
    usage: _Counts | None = None
    error: _Failure | None = None


_decode = msgspec.json.Decoder(_Event).decode


class _Piece:
    """One content block in the making."""

    __slots__ = ("block", "pieces", "signature")

    def __init__(self, block: _Block) -> None:
        self.block = block
        self.pieces: list[str] = []
        self.signature = block.signature


class Turn:
    """Takes events one by one and makes the turn of them.

    `provider` and `model` mark what only they can read again. `take` raises `ProviderError` for the stream's own
    `error` event and for an event that cannot be read.
    """

    def __init__(
        self, provider: str, model: str, *, overrides: Mapping[str, prices.Price], scrub: Callable[[str], str] = str
    ) -> None:
        self._provider = provider
        self._model = model
        self._overrides = overrides
        self._scrub = scrub
        self._pieces: dict[int, _Piece] = {}
        self._counts: dict[str, int] = {}
        self._stop: str | None = None
        self._served = model
        self.done = False

    @property
    def whole(self) -> bool:
        """Only the stream's own end makes the turn whole."""
        return self.done

    def take(self, data: bytes, /) -> Sequence[TextChunk | ThinkingChunk]:
        """Notes one event; gives what the reader can be shown at once."""
        try:
            event = _decode(data)
        except UNREADABLE:
            raise ProviderError("the provider sent an event that cannot be read") from None
        delta = event.delta
        chunk: TextChunk | ThinkingChunk | None = None
        if event.type == "content_block_delta" and delta is not None:
            if delta.type == "text_delta" and delta.text and (piece := self._pieces.get(event.index)):  # the hot path
                piece.pieces.append(delta.text)
                return (TextChunk(delta.text),)
            chunk = self._grow(event.index, delta)
        elif event.type == "content_block_start" and event.content_block is not None:
            chunk = self._begin(event.index, event.content_block)
        else:
            self._note(event)
        return () if chunk is None else (chunk,)

    def _note(self, event: _Event) -> None:
        if event.type == "error":
            failure = event.error or _Failure()
            raise from_status(_STATUSES.get(failure.type, 500), self._scrub(failure.message))
        if event.type == "message_start" and event.message is not None:
            self._served = event.message.model or self._model
            self._count(event.message.usage)
        elif event.type == "message_delta":
            self._count(event.usage)
            self._stop = (event.delta.stop_reason if event.delta else None) or self._stop
        elif event.type == "message_stop":
            self.done = True

    def _begin(self, index: int, block: _Block) -> TextChunk | ThinkingChunk | None:
        piece = self._pieces[index] = _Piece(block)
        if block.type == "text" and block.text:
            piece.pieces.append(block.text)
            return TextChunk(block.text)
        if block.type == "thinking" and block.thinking:
            piece.pieces.append(block.thinking)
            return ThinkingChunk(block.thinking)
        return None

    def _grow(self, index: int, delta: _Delta) -> ThinkingChunk | None:
        piece = self._pieces.get(index)
        if piece is None:
            return None
        if delta.type == "thinking_delta" and delta.thinking:
            piece.pieces.append(delta.thinking)
            return ThinkingChunk(delta.thinking)
        if delta.type == "input_json_delta":
            piece.pieces.append(delta.partial_json)
        elif delta.type == "signature_delta":
            piece.signature += delta.signature
        return None

    def _count(self, counts: _Counts | None) -> None:
        """Later counts are cumulative: they replace earlier ones."""
        if counts is None:
            return
        details, creation = counts.output_tokens_details, counts.cache_creation
        seen = {
            "input": counts.input_tokens,
            "output": counts.output_tokens,
            "written": counts.cache_creation_input_tokens,
            "written_1h": creation.ephemeral_1h_input_tokens if creation else None,
            "read": counts.cache_read_input_tokens,
            "reasoning": details.thinking_tokens if details else None,
        }
        self._counts |= {name: count for name, count in seen.items() if count is not None}

    @property
    def usage(self) -> Usage:
        """Tokens by class; the API's `input_tokens` leaves cached tokens out already."""
        count = self._counts.get
        hour = count("written_1h", 0)
        return Usage(
            input=count("input", 0),
            output=count("output", 0),
            cache_write=max(count("written", 0) - hour, 0),
            cache_write_1h=hour,
            cache_read=count("read", 0),
            reasoning=count("reasoning", 0),
        )

    def result(self) -> TurnDone:
        """The whole turn, after `done`."""
        pieces = [self._pieces[index] for index in sorted(self._pieces)]
        calls = any(piece.block.type == "tool_use" for piece in pieces)
        stop = _STOPS.get(self._stop, "tools" if calls else "end")
        cut = stop in _UNFINISHED and bool(pieces) and pieces[-1].block.type == "tool_use"
        parts = [self._part(piece, cut=cut and piece is pieces[-1]) for piece in pieces]
        usage = self.usage
        return TurnDone(
            message=Message("assistant", tuple(part for part in parts if part is not None)),
            usage=usage,
            stop=stop,
            model=self._served,
            cost=prices.cost(self._model, usage, self._overrides),
            cut=cut,
        )

    def _part(self, piece: _Piece, *, cut: bool) -> Part | None:
        text = "".join(piece.pieces)
        match piece.block.type:
            case "text":
                return Text(text) if text else None
            case "thinking":
                state = opaque_thought(signature=piece.signature) if piece.signature else b""
                return Thinking(text, self._opaque(state)) if text or state else None
            case "redacted_thinking":
                return Thinking("", self._opaque(opaque_thought(redacted=piece.block.data)))
            case "tool_use":
                return _call(piece.block, text, cut=cut)
        return None

    def _opaque(self, data: bytes) -> Opaque | None:
        return Opaque(self._provider, self._model, data) if data else None


def _call(block: _Block, raw: str, *, cut: bool) -> ToolCall:
    """The call; a server that does not stream arguments gives them at the block's start."""
    if not raw and not cut and isinstance(block.input, dict):
        return ToolCall(block.id, block.name, block.input)
    return read_call(block.id, block.name, raw, cut=cut)
