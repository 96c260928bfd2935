"""From the stream events of OpenAI's Responses API to one turn.

Source: https://developers.openai.com/api/docs/guides/streaming-responses. Events are decoded with msgspec into the few
members that are used; unknown events, items and members are passed over. The API's failures are events, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from headgate.core.errors import ProviderError
from headgate.core.messages import Message, Opaque, Part, StopReason, Text, Thinking, Usage
from headgate.core.ports import ModelRequest, TextChunk, ThinkingChunk, TurnDone
from headgate.providers import prices
from headgate.providers.calls import CallIds, read_call
from headgate.providers.failures import UNREADABLE
from headgate.providers.openai_errors import Failure, failure
from headgate.providers.openai_wire import opaque_phase, opaque_reasoning

Chunk = TextChunk | ThinkingChunk

_TEXT = frozenset({"response.output_text.delta", "response.refusal.delta"})
_THINKING = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
_STOPS: dict[str | None, StopReason] = {"max_output_tokens": "length", "content_filter": "refusal"}
_UNFINISHED = frozenset({"length", "refusal"})


class _Content(msgspec.Struct, frozen=True):
    type: str = ""
    text: str = ""
    refusal: str = ""


class _Item(msgspec.Struct, frozen=True):
    type: str = ""
    call_id: str | None = None
    name: str = ""
    arguments: str = ""
    phase: str | None = None
    content: tuple[_Content, ...] | None = None
    summary: tuple[_Content, ...] | None = None


class _Written(msgspec.Struct, frozen=True):
    ttl_12h_tokens: int | None = None


class _InputDetails(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_tokens_details: _Written | None = None


class _OutputDetails(msgspec.Struct, frozen=True):
    reasoning_tokens: int | None = None


class _Counts(msgspec.Struct, frozen=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Incomplete(msgspec.Struct, frozen=True):
    reason: str | None = None


class _Response(msgspec.Struct, frozen=True):
    model: str | None = None
    usage: _Counts | None = None
    error: Failure | None = None
    incomplete_details: _Incomplete | None = None


class _Event(msgspec.Struct, frozen=True):
    type: str
    output_index: int = 0
    summary_index: int = 0
    delta: Any = None
    item: msgspec.Raw = msgspec.Raw()
    response: _Response | None = None
    error: Failure | None = None
    code: str | None = None
    message: str | None = None


_decode = msgspec.json.Decoder(_Event).decode
_decode_item = msgspec.json.Decoder(_Item).decode
_decode_raw = msgspec.json.Decoder(dict[str, Any]).decode


class _Piece:
    """One output item in the making."""

    __slots__ = ("item", "opaque", "pieces", "refused")

    def __init__(self, item: _Item) -> None:
        self.item = item
        self.pieces: list[str] = []
        self.opaque = b""
        self.refused = False


class Turn:
    """Takes events one by one and makes the turn of them.

    `provider` and the request's model mark what only they can read again. `take` raises `ProviderError` for the
    stream's own failures and for an event that cannot be read.
    """

    def __init__(
        self,
        provider: str,
        request: ModelRequest,
        *,
        overrides: Mapping[str, prices.Price],
        scrub: Callable[[str], str] = str,
    ) -> None:
        self._provider = provider
        self._model = request.model
        self._ids = CallIds(request)
        self._overrides = overrides
        self._scrub = scrub
        self._pieces: dict[int, _Piece] = {}
        self._end: _Response | None = None
        self._incomplete = False

    @property
    def done(self) -> bool:
        """Whether the response is completed, or incomplete for good."""
        return self._end is not None

    @property
    def whole(self) -> bool:
        """Only the stream's own end makes the turn whole."""
        return self.done

    def take(self, data: bytes, /) -> Sequence[Chunk]:
        """Notes one event; gives what the reader can be shown at once."""
        try:
            event = _decode(data)
            kind = event.type
            if kind in _TEXT or kind in _THINKING:
                return self._grow(event)
            if kind == "response.output_item.added":
                self._pieces[event.output_index] = _Piece(_decode_item(event.item))
            elif kind == "response.output_item.done":
                return self._finish(event.output_index, event.item)
            elif kind == "response.reasoning_summary_part.added":
                return self._next_part(event)
        except UNREADABLE:
            raise ProviderError("the provider sent an event that cannot be read") from None
        self._note(event)
        return ()

    def _note(self, event: _Event) -> None:
        if event.type == "error":
            raise failure(event.error or Failure(code=event.code, message=event.message), self._scrub)
        if event.type == "response.failed":
            raise failure(event.response.error if event.response else None, self._scrub)
        if event.type in ("response.completed", "response.incomplete"):
            self._end = event.response or _Response()
            self._incomplete = event.type == "response.incomplete"
        elif event.type == "response.function_call_arguments.delta" and isinstance(event.delta, str):
            piece = self._pieces.get(event.output_index)
            if piece is not None:
                piece.pieces.append(event.delta)

    def _grow(self, event: _Event) -> Sequence[Chunk]:
        piece = self._pieces.get(event.output_index)
        if piece is None or not event.delta or not isinstance(event.delta, str):
            return ()
        piece.pieces.append(event.delta)
        piece.refused = piece.refused or event.type == "response.refusal.delta"
        return (ThinkingChunk(event.delta) if event.type in _THINKING else TextChunk(event.delta),)

    def _next_part(self, event: _Event) -> Sequence[Chunk]:
        """A summary has parts without anything between them."""
        piece = self._pieces.get(event.output_index)
        if piece is None or not piece.pieces:
            return ()
        piece.pieces.append("\n\n")
        return (ThinkingChunk("\n\n"),)

    def _finish(self, index: int, raw: msgspec.Raw) -> Sequence[Chunk]:
        """The item as it is at last; what was not streamed of it is shown now."""
        piece = self._pieces.setdefault(index, _Piece(_Item()))
        item = piece.item = _decode_item(raw)
        if item.type == "reasoning":
            piece.opaque = opaque_reasoning(_decode_raw(raw))
        if item.type == "function_call":
            piece.pieces = [item.arguments] if item.arguments else piece.pieces
        elif not piece.pieces and (text := _text(item)):
            piece.pieces = [text]
            piece.refused = any(each.refusal for each in item.content or ())
            return (ThinkingChunk(text) if item.type == "reasoning" else TextChunk(text),)
        return ()

    @property
    def usage(self) -> Usage:
        """Tokens by class; the API's `input_tokens` has all of the prompt in it, cached or not."""
        counts = (self._end and self._end.usage) or _Counts()
        details, spent = counts.input_tokens_details or _InputDetails(), counts.output_tokens_details
        read, written = details.cached_tokens or 0, details.cache_write_tokens or 0
        split = details.cache_write_tokens_details
        long = min((split.ttl_12h_tokens or 0) if split else 0, written)
        return Usage(
            input=max((counts.input_tokens or 0) - read - written, 0),
            output=counts.output_tokens or 0,
            cache_write=written - long,
            cache_write_1h=long,
            cache_read=read,
            reasoning=(spent.reasoning_tokens or 0) if spent else 0,
        )

    def result(self) -> TurnDone:
        """The whole turn, after `done`."""
        pieces = [self._pieces[index] for index in sorted(self._pieces)]
        stop = self._stop(pieces)
        cut = stop in _UNFINISHED and bool(pieces) and pieces[-1].item.type == "function_call"
        parts: list[Part] = []
        for index, piece in enumerate(pieces):
            parts += self._parts(piece, index, cut=cut and piece is pieces[-1])
        usage = self.usage
        return TurnDone(
            message=Message("assistant", tuple(parts)),
            usage=usage,
            stop=stop,
            model=(self._end and self._end.model) or self._model,
            cost=prices.cost(self._model, usage, self._overrides),
            cut=cut,
        )

    def _stop(self, pieces: Sequence[_Piece]) -> StopReason:
        if self._incomplete:
            details = self._end.incomplete_details if self._end else None
            return _STOPS.get(details.reason if details else None, "length")
        if any(piece.item.type == "function_call" for piece in pieces):
            return "tools"
        return "refusal" if any(piece.refused for piece in pieces) else "end"

    def _parts(self, piece: _Piece, index: int, *, cut: bool) -> Iterator[Part]:
        text, item = "".join(piece.pieces), piece.item
        if item.type == "reasoning" and (text or piece.opaque):
            yield Thinking(text, self._opaque(piece.opaque))
        elif item.type == "message" and text:
            if item.phase:
                # The label belongs to the text, which has no room for it: it goes before, as thinking without words.
                yield Thinking("", self._opaque(opaque_phase(item.phase)))
            yield Text(text)
        elif item.type == "function_call":
            yield read_call(self._ids.unique(item.call_id or "", index), item.name, text, cut=cut)

    def _opaque(self, data: bytes) -> Opaque | None:
        return Opaque(self._provider, self._model, data) if data else None


def _text(item: _Item) -> str:
    if item.type == "reasoning":
        return "\n\n".join(each.text for each in item.summary or ()) or "".join(
            each.text for each in item.content or ()
        )
    return "".join(each.text or each.refusal for each in item.content or ()) if item.type == "message" else ""
