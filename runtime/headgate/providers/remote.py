"""What every remote provider shares: its keys, how a request is sent and how a stream is read, under time limits.

Requests are bytes and answers are bytes: what a vendor's SDK does between them costs more than all the rest of a turn
(decision 0015).
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, ClassVar, Generic, Protocol, TypeVar

import msgspec
from pydantic import Field

from headgate.core.errors import ProviderError
from headgate.core.messages import Usage
from headgate.core.ports import Broken, ModelEvent, ModelRequest, TextChunk, ThinkingChunk, TurnDone
from headgate.core.scalars import Patience
from headgate.providers.deadline import Silence
from headgate.providers.failures import UNREADABLE, unavailable
from headgate.providers.prices import Price, cost
from headgate.providers.settings import ProviderSpec, Thinking
from headgate.providers.sse import Events

_DRAIN = 0.5
_REFUSAL = 64 << 10
"""Bytes that are read of a refusal."""
_TAIL = 5.0
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
HeaderValue = Annotated[str, Field(pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*$")]


class RemoteSpec(ProviderSpec):
    """The keys of every provider that is asked over HTTP."""

    max_output_tokens: int | None = Field(default=None, ge=1)
    """The most tokens of one turn, thinking included; agents may say otherwise."""
    thinking: Thinking | None = None
    """`off`, `adaptive`, an effort (`low`, `medium`, `high`) or a budget in tokens; unset: as the model is used to."""
    timeout: Patience = 120.0
    """How long connecting and waiting for the answer's beginning may take."""
    stall_timeout: Patience = 60.0
    """How long the stream may be silent."""
    prices: dict[str, Price] = {}
    """Prices by model id, in USD per million tokens, where they differ from the built-in table."""
    extra_headers: dict[HeaderName, HeaderValue] = {}
    """Headers sent with every request."""
    default: ClassVar[str] = ""
    """The model of a manifest that names none."""

    @property
    def listed(self) -> bool:
        """Whether the built-in table has the prices of this server."""
        return True

    def priced(self, model: str) -> bool:
        """Whether a price of the manifest or of the built-in table covers this model."""
        name = (self.model or self.default) if model == "auto" else model
        return cost(name, Usage(), self.prices, known=self.listed) is not None


class Reader(Protocol):
    """Makes a turn of the data of a stream's events."""

    @property
    def done(self) -> bool:
        """Whether the stream is over: nothing more is read."""
        ...

    @property
    def whole(self) -> bool:
        """Whether all that matters has come, so that a stream which breaks off now is none the worse."""
        ...

    @property
    def usage(self) -> Usage:
        """What the provider has said of the tokens until now."""
        ...

    def take(self, data: bytes, /) -> Sequence[TextChunk | ThinkingChunk]:
        """Notes one event and gives what the reader can be shown at once; raises `ProviderError`."""
        ...

    def result(self) -> TurnDone:
        """The whole turn."""
        ...


class Content(Protocol):
    """The body of an answer."""

    async def readany(self) -> bytes:
        """What has come of it, at least one byte; nothing at its end."""
        ...

    def at_eof(self) -> bool:
        """Whether all of it has been read."""
        ...


class Answer(Protocol):
    """What a server answers."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By name, in whatever case."""
        ...

    @property
    def content(self) -> Content:
        """The body."""
        ...

    def close(self) -> None:
        """Breaks the connection off, unless the answer was read to its end."""
        ...


class Line(Protocol):
    """An open connection pool to one server."""

    @property
    def lost(self) -> tuple[type[Exception], ...]:
        """What a broken connection may raise; `TimeoutError` is not one of them."""
        ...

    async def post(self, path: str, body: bytes, /) -> Answer:
        """Sends a request that is answered with a stream."""
        ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer with another status than success; `body` is its JSON value, or its text."""

    status: int
    headers: Mapping[str, str]
    body: Any


async def connect(base_url: str, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Line]:
    """See `line.connect`. The HTTP client is imported when the first provider that needs it is opened: trees without
    one, and `headgate validate`, should not pay. It is imported in a thread, so that a reload holds up no stream."""
    line = await asyncio.to_thread(import_module, "headgate.providers.line")
    opened: AbstractAsyncContextManager[Line] = line.connect(base_url, headers)
    return opened


S = TypeVar("S", bound=RemoteSpec)


class Remote(ABC, Generic[S]):
    """An opened provider that is asked over HTTP; a leaf says how a request is written and to which path it goes.

    `name` is its name in the manifest, and `scrub` removes secrets from what a server says.
    """

    demo = False
    path: ClassVar[str]

    def __init__(self, spec: S, name: str, line: Line, scrub: Callable[[str], str]) -> None:
        self._spec = spec
        self._name = name
        self._line = line
        self._scrub = scrub
        self.default_model = spec.model or spec.default

    @abstractmethod
    def _prepare(self, request: ModelRequest) -> tuple[bytes, Reader]:
        """The JSON body of the request, and the reader of its answer."""

    @abstractmethod
    def _explain(self, refusal: Refusal) -> ProviderError:
        """What a refusal means."""

    async def stream(self, request: ModelRequest, /) -> AsyncGenerator[ModelEvent]:
        """Yields the turn as it arrives. One request, no retry; closing the iterator closes the connection."""
        self._spec.require(request.model, self.default_model)
        body, reader = self._prepare(request)
        answer = await self._begin(body)
        silence, over = Silence(self._spec.stall_timeout), False
        try:
            _require_stream(answer)
            events = Events()
            while not reader.done and (chunk := await self._chunk(answer.content, reader, silence)):
                for data in _complete(events, chunk):
                    for event in reader.take(data):
                        yield event
            over = True
            await _drain(answer.content, self._line.lost)
        finally:
            silence.close()
            if not over:
                self._tell(request, reader.usage)
            answer.close()
        yield reader.result()

    def _tell(self, request: ModelRequest, usage: Usage) -> None:
        """Of a turn that is broken off, what the provider has said of it until now."""
        if usage.total:
            price = cost(request.model, usage, self._spec.prices, known=self._spec.listed)
            request.broken(Broken(usage, request.model, price))

    async def _begin(self, body: bytes) -> Answer:
        """Sends the request and waits for the head of a successful answer."""
        seconds = self._spec.timeout
        try:
            async with asyncio.timeout(seconds):
                answer = await self._line.post(self.path, body)
                if 200 <= answer.status < 300:
                    return answer
                refusal = await _refusal(answer)
        except TimeoutError:
            raise unavailable("provider_timeout", f"the provider did not answer within {seconds:g} s") from None
        except self._line.lost:
            raise unavailable("provider_connection", "the provider could not be reached") from None
        raise self._explain(refusal)

    async def _chunk(self, content: Content, reader: Reader, silence: Silence) -> bytes:
        """The next bytes of the stream; when they do not come, nothing after a whole turn and an error before."""
        seconds = self._spec.stall_timeout
        try:
            if reader.whole:
                async with asyncio.timeout(min(seconds, _TAIL)):
                    return await content.readany()
            with silence:
                chunk = await content.readany()
            if chunk:
                return chunk
            error = unavailable("provider_cut_off", "the provider's answer ended before it was whole")
        except TimeoutError:
            error = unavailable("provider_stalled", f"the provider sent nothing for {seconds:g} s")
        except self._line.lost:
            error = unavailable("provider_connection", "the connection to the provider was lost")
        if reader.whole:
            return b""
        raise error


async def _refusal(answer: Answer) -> Refusal:
    try:
        body = b""
        while len(body) < _REFUSAL and (chunk := await answer.content.readany()):
            body += chunk
    finally:
        answer.close()
    return Refusal(answer.status, answer.headers, _value(body))


def _value(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
        return body.decode("utf-8", "replace").strip()


def _require_stream(answer: Answer) -> None:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/event-stream":
        raise ProviderError(f"the provider answered with {kind or 'no content type'} instead of an event stream")


def _complete(events: Events, chunk: bytes) -> list[bytes]:
    try:
        return events.feed(chunk)
    except ValueError:
        raise ProviderError("the provider sent an event that is too large") from None


async def _drain(content: Content, lost: tuple[type[Exception], ...]) -> None:
    """Reads to the end of the body, which is there by now: only then is the connection used again."""
    if content.at_eof():
        return
    with contextlib.suppress(*lost, TimeoutError):
        async with asyncio.timeout(_DRAIN):
            while await content.readany():
                continue
