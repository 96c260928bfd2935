"""Interceptors of kind `redact`: personal data and credentials are replaced in arguments, results and the answer.

Text that is streamed is held back as long as it may be the beginning of something. What is redacted is redacted in the
transcript too, so a model does not see it again.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.context import RunContext, ToolContext
from headgate.core.errors import PolicyRefused
from headgate.core.glob import covers
from headgate.core.kind import Env, Kind, pure
from headgate.core.messages import ErrorInfo, Message, Part, Text, Thinking, ToolCall, ToolResult
from headgate.core.ports import (
    ModelEvent,
    ModelNext,
    ModelRequest,
    Restarted,
    Streams,
    TextChunk,
    ThinkingChunk,
    ToolNext,
    TurnDone,
)
from headgate.core.scalars import Name
from headgate.expressions.automaton import LONGEST, Automaton, TooMuchWork
from headgate.expressions.pattern import MAX_PATTERN, Pattern
from headgate.interceptors.common import InterceptorSpec, Passing, Touched
from headgate.interceptors.redact_detectors import DETECTORS, Span
from headgate.interceptors.redact_output import Outputs
from headgate.interceptors.redact_text import Finder, Redactor, Window

Where = Literal["arguments", "results", "text"]
Known = Literal[
    "email", "phone", "credit_card", "iban", "ssn", "ipv4", "ipv6", "jwt", "aws_key", "private_key",
    "url_credentials", "bearer_token",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Own:
    """A pattern of the manifest: RE2 tells quickly whether it is there at all, the automaton where."""

    pattern: Pattern
    automaton: Automaton

    @classmethod
    def parse(cls, value: Any) -> Own:
        """The pattern of a text; raises `PydanticCustomError("pattern")`."""
        if isinstance(value, Own):
            return value
        pattern = Pattern.parse(value)
        return cls(pattern, Automaton(pattern.source))

    def spans(self, text: str, start: int = 0) -> Iterator[Span]:
        """See `Finder`."""
        return self.automaton.spans(text, start) if self.pattern.found(text) else iter(())

    def held(self, text: str) -> int:
        """See `Finder`."""
        return min(len(text), LONGEST)


OwnText = Annotated[
    Own,
    PlainValidator(Own.parse),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_PATTERN, "x-re2": True}),
]


class RedactSpec(InterceptorSpec):
    """Replaces personal data and credentials, in texts within JSON too; names of members stay."""

    kind: Literal["redact"]
    detect: tuple[Known, ...] = ()
    """What is looked for: card numbers and IBANs are checked by their check digits."""
    patterns: dict[Name, OwnText] = {}
    """Regular expressions of your own by name, in the syntax of RE2; matches of at most 256 characters are found."""
    places: Annotated[tuple[Where, ...], Field(alias="in", min_length=1)] = ("arguments", "results", "text")
    """Where: in what tools are given, in what they answer, in what the model says and thinks."""
    replace: str = "[{name}]"
    """What stands there instead; `{name}` is the name of what was found."""

    @model_validator(mode="after")
    def _something(self) -> RedactSpec:
        if not self.detect and not self.patterns:
            raise PydanticCustomError("redact", "one of detect and patterns is needed")
        return self

    @property
    def touches(self) -> Touched:
        """Arguments are in the model's turn first."""
        touched: set[Literal["model", "tool"]] = set()
        touched |= {"tool"} if {"arguments", "results"} & set(self.places) else set()
        touched |= {"model"} if {"arguments", "text"} & set(self.places) else set()
        return frozenset(touched)


class Redact(Passing):
    """Replaces what is found on its way."""

    streams: Streams = "window"

    def __init__(self, spec: RedactSpec) -> None:
        self._spec = spec
        self.touches = spec.touches
        finders: Mapping[str, Finder] = {**{name: DETECTORS[name] for name in spec.detect}, **spec.patterns}
        self._redactor = Redactor(finders, spec.replace)

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        """The call with what it is given and what it answers redacted; a tool that is running is redacted too."""
        with _bounded():
            if "arguments" in self._spec.places and not ctx.resumed:
                call = self._call(call)
            if "results" not in self._spec.places:
                return await call_next(call, ctx)
            outputs = Outputs(self._redactor, ctx)
            result = await call_next(call, replace(ctx, output=outputs.output, emit=outputs.emit))
            outputs.flush()
            return self._result(result)

    async def around_model(
        self, _ctx: RunContext, request: ModelRequest, call_next: ModelNext, /
    ) -> AsyncGenerator[ModelEvent]:
        """The turn, redacted as it is told."""
        text = "text" in self._spec.places
        stream = _Stream(self._redactor)
        with _bounded():
            async with aclosing(call_next(request)) as events:
                async for event in events:
                    for told in stream.told(event) if text else ():
                        yield told
                    if isinstance(event, TurnDone):
                        yield msgspec.structs.replace(event, message=self._message(event.message))
                    elif isinstance(event, Restarted) or not text:
                        yield event

    def _call(self, call: ToolCall) -> ToolCall:
        args, malformed = self._redactor.value(call.args), self._redactor.text(call.malformed)
        same = args is call.args and malformed == call.malformed
        return call if same else msgspec.structs.replace(call, args=args, malformed=malformed)

    def _result(self, result: ToolResult) -> ToolResult:
        value, error = self._redactor.value, result.error
        if error is not None:
            error = ErrorInfo(value(error.code), value(error.message), error.retryable, value(error.details))
        texts = iter(self._redactor.texts([part.text for part in result.content if isinstance(part, Text)]))
        content = tuple(Text(next(texts)) if isinstance(part, Text) else part for part in result.content)
        return msgspec.structs.replace(result, content=content, structured=value(result.structured), error=error)

    def _message(self, message: Message) -> Message:
        parts = list(message.parts)
        if "text" in self._spec.places:
            parts = self._said(parts)
        if "arguments" in self._spec.places:
            parts = [self._call(part) if isinstance(part, ToolCall) and self._for(part) else part for part in parts]
        return Message(message.role, tuple(parts))

    def _said(self, parts: list[Part]) -> list[Part]:
        """A thought that has changed loses its signature, which would no longer be true."""
        texts = iter(self._redactor.texts([part.text for part in parts if isinstance(part, Text)]))
        out: list[Part] = []
        for part in parts:
            if isinstance(part, Text):
                out.append(Text(next(texts)))
            elif isinstance(part, Thinking) and (clean := self._redactor.text(part.text)) != part.text:
                out.append(Thinking(clean))
            else:
                out.append(part)
        return out

    def _for(self, call: ToolCall) -> bool:
        """Whether the arguments are redacted before anybody sees them; a condition is asked when the call is made."""
        return self._spec.when is None and any(covers(pattern, call.name) for pattern in self._spec.tools)


class _Stream:
    """A turn as it is told: text and thinking each have a window; one that pauses has ended."""

    def __init__(self, redactor: Redactor) -> None:
        self._text, self._thinking = Window(redactor), Window(redactor)

    def told(self, event: ModelEvent) -> Iterator[ModelEvent]:
        """What can be told of the turn now."""
        match event:
            case TextChunk(text):
                yield from _chunk(ThinkingChunk, self._thinking.flush())
                yield from _chunk(TextChunk, self._text.feed(text))
            case ThinkingChunk(text):
                yield from _chunk(TextChunk, self._text.flush())
                yield from _chunk(ThinkingChunk, self._thinking.feed(text))
            case TurnDone():
                yield from _chunk(ThinkingChunk, self._thinking.flush())
                yield from _chunk(TextChunk, self._text.flush())
            case _:
                self._text.flush()
                self._thinking.flush()


def _chunk(kind: Callable[[str], ModelEvent], text: str) -> Iterator[ModelEvent]:
    if text:
        yield kind(text)


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """A text that was made to be hard to look through is refused: it cannot be told what is in it."""
    try:
        yield
    except TooMuchWork:
        raise PolicyRefused("a text takes too much work to be redacted", code="redaction_failed") from None


@contextlib.asynccontextmanager
async def open_interceptor(spec: RedactSpec, _env: Env) -> AsyncIterator[Redact]:
    """The interceptor; it holds nothing."""
    yield Redact(spec)


KIND: Kind[RedactSpec, Redact] = Kind(
    "redact", "Personal data and credentials are replaced.", RedactSpec, open_interceptor, pure=pure
)
"""The registration of the kind."""
