"""From the chunks of a Chat Completions stream to one turn, whichever server sends them.

Source: https://developers.openai.com/api/docs/api-reference/chat-streaming. Unknown members are passed over, since
every server adds its own; what is missing is made good: usage, ids, the reason to stop, the mark of the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from headgate.core.errors import ProviderError
from headgate.core.messages import Message, Opaque, Part, StopReason, Text, Thinking, Usage
from headgate.core.ports import ModelRequest, TextChunk, ThinkingChunk, TurnDone
from headgate.providers import prices
from headgate.providers.calls import CallIds, read_call
from headgate.providers.failures import UNREADABLE
from headgate.providers.openai_chat_slots import CallDelta, Function, Slots
from headgate.providers.openai_chat_wire import opaque_details, opaque_field
from headgate.providers.openai_errors import Failure, failure
from headgate.providers.openai_presets import PLAIN, Preset

Chunk = TextChunk | ThinkingChunk

_STOPS: dict[str, StopReason] = {"length": "length", "content_filter": "refusal"}
_UNFINISHED = frozenset({"length", "refusal"})
_GROWING = ("text", "summary", "data")


class _Delta(msgspec.Struct, frozen=True):
    content: Any = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_text: Any = None
    reasoning_details: Any = None
    tool_calls: tuple[CallDelta, ...] | None = None
    function_call: Function | None = None


class _Choice(msgspec.Struct, frozen=True):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _InputDetails(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct, frozen=True):
    reasoning_tokens: int | None = None


class _Counts(msgspec.Struct, frozen=True):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None


class _Event(msgspec.Struct, frozen=True):
    model: str | None = None
    choices: tuple[_Choice, ...] | None = None
    usage: _Counts | None = None
    error: Failure | str | None = None


_decode = msgspec.json.Decoder(_Event).decode


class Turn:
    """Takes chunks one by one and makes the turn of them.

    `provider` and the request's model mark what only they can read again; the `server` says what of the thinking is
    kept for them. `take` raises `ProviderError` for the stream's own errors and for a chunk that cannot be read.
    """

    def __init__(
        self,
        provider: str,
        request: ModelRequest,
        *,
        overrides: Mapping[str, prices.Price],
        server: Preset = PLAIN,
        scrub: Callable[[str], str] = str,
    ) -> None:
        self._provider = provider
        self._model = request.model
        self._ids = CallIds(request)
        self._overrides = overrides
        self._server = server
        self._scrub = scrub
        self._text: list[str] = []
        self._thoughts: list[str] = []
        self._field = ""
        self._details: list[dict[str, Any]] = []
        self._calls = Slots()
        self._counts = _Counts()
        self._stop: str | None = None
        self._refused = False
        self._served = ""
        self.done = False

    @property
    def whole(self) -> bool:
        """Whether the server has said why it stopped; usage may follow, or not."""
        return self.done or self._stop is not None

    def take(self, data: bytes, /) -> Sequence[Chunk]:
        """Notes one chunk; gives what the reader can be shown at once."""
        if data.strip() == b"[DONE]":
            self.done = True
            return ()
        try:
            event = _decode(data)
        except UNREADABLE:
            raise ProviderError("the provider sent an event that cannot be read") from None
        if event.error is not None:
            raise failure(event.error, self._scrub)
        self._served = event.model or self._served
        self._counts = event.usage or self._counts
        return self._choose(event.choices[0]) if event.choices else ()

    def _choose(self, choice: _Choice) -> Sequence[Chunk]:
        if choice.finish_reason == "error":
            raise failure("the provider broke the answer off", self._scrub)
        self._stop = choice.finish_reason or self._stop
        return self._grow(choice.delta) if choice.delta is not None else ()

    def _grow(self, delta: _Delta) -> Sequence[Chunk]:
        out: list[Chunk] = []
        if thought := self._thought(delta):
            self._thoughts.append(thought)
            out.append(ThinkingChunk(thought))
        self._refused = self._refused or bool(delta.refusal)
        for text in (delta.content, delta.refusal):
            if text and isinstance(text, str):
                self._text.append(text)
                out.append(TextChunk(text))
        if delta.tool_calls:
            self._calls.take(delta.tool_calls)
        if delta.function_call is not None:
            self._calls.take((CallDelta(index=0, function=delta.function_call),))
        return out

    def _thought(self, delta: _Delta) -> str:
        """The thinking in a chunk; servers that send it under two names at once mean it once."""
        if self._server.echo == "details" and isinstance(delta.reasoning_details, list):
            for each in delta.reasoning_details:
                self._merge(each)
        for name in ("reasoning_content", "reasoning", "reasoning_text"):
            text = getattr(delta, name)
            if text and isinstance(text, str):
                self._field = self._field or name
                return text
        return ""

    def _merge(self, piece: dict[str, Any]) -> None:
        """Adds a piece to the detail that it continues, or begins another."""
        last = self._details[-1] if self._details else {}
        same = [last.get(name) == piece.get(name) for name in ("type", "index")]
        if not last or not all(same) or piece.get("type") == "reasoning.encrypted":
            self._details.append(dict(piece))
            return
        for name, value in piece.items():
            if name in _GROWING and isinstance(value, str):
                last[name] = (last.get(name) or "") + value
            elif value is not None:
                last[name] = value

    @property
    def usage(self) -> Usage:
        """Tokens by class, zeros when the server counts none.

        `prompt_tokens` has cached tokens in it. Some servers leave thinking out of `completion_tokens`, but not out
        of the total.
        """
        counts = self._counts
        prompt, total = counts.prompt_tokens or 0, counts.total_tokens or 0
        details, spent = counts.prompt_tokens_details or _InputDetails(), counts.completion_tokens_details
        read = min(details.cached_tokens or counts.prompt_cache_hit_tokens or 0, prompt)
        written = min(details.cache_write_tokens or 0, prompt - read)
        output = max(counts.completion_tokens or 0, total - prompt)
        hidden = output - (counts.completion_tokens or 0)
        return Usage(
            input=prompt - read - written,
            output=output,
            cache_write=written,
            cache_read=read,
            reasoning=min((spent.reasoning_tokens if spent else None) or hidden, output),
        )

    def result(self) -> TurnDone:
        """The whole turn."""
        stop = self._reason()
        cut = stop in _UNFINISHED and len(self._calls) > 0
        parts: list[Part] = []
        if thought := self._thinking():
            parts.append(thought)
        if self._text:
            parts.append(Text("".join(self._text)))
        for index, slot in enumerate(self._calls):
            id = self._ids.unique(slot.id, index)
            state = self._opaque(msgspec.json.encode(slot.extra)) if slot.extra else None
            is_cut = cut and index == len(self._calls) - 1
            parts.append(read_call(id, slot.name, slot.raw, cut=is_cut, opaque=state))
        usage = self.usage
        return TurnDone(
            message=Message("assistant", tuple(parts)),
            usage=usage,
            stop=stop,
            model=self._served or self._model,
            cost=prices.cost(self._model, usage, self._overrides, known=self._server.own),
            cut=cut,
        )

    def _reason(self) -> StopReason:
        """Servers say `stop` where they mean their calls, or nothing: calls speak for themselves."""
        known = _STOPS.get(self._stop or "")
        if known is not None:
            return known
        return "tools" if len(self._calls) else "refusal" if self._refused else "end"

    def _thinking(self) -> Thinking | None:
        text = "".join(self._thoughts)
        state = b""
        if self._details:
            state = opaque_details(self._details)
        elif text and self._server.echo == "field":
            state = opaque_field(self._field)
        return Thinking(text, self._opaque(state) if state else None) if text or state else None

    def _opaque(self, data: bytes) -> Opaque:
        return Opaque(self._provider, self._model, data)
