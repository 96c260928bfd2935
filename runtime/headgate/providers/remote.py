"""What every remote provider shares: its keys, how a request is sent and how a stream is read, under time limits.

An SDK does authentication, transport and the request; its aiohttp transport carries thousands of streams. Request
bodies and stream events are encoded and decoded here, because the SDKs' typed events cost more than all the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, ClassVar, Protocol

import httpx2
from pydantic import Field

from headgate.core.errors import ProviderError
from headgate.core.messages import Usage
from headgate.core.ports import Broken, ModelEvent, ModelRequest, TextChunk, ThinkingChunk, TurnDone
from headgate.core.scalars import Patience
from headgate.providers.deadline import Silence
from headgate.providers.failures import unavailable
from headgate.providers.prices import Price, cost
from headgate.providers.settings import ProviderSpec, Thinking
from headgate.providers.sse import Events

HEADERS = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
"""The headers of a request that is answered with a stream."""

_DRAIN = 0.5
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


@dataclass(frozen=True, slots=True)
class Errors:
    """The exceptions of an SDK: for a refusal, which `refusal` explains, and for connections that are lost."""

    status: type[Exception]
    lost: tuple[type[Exception], ...]
    refusal: Callable[[Any], ProviderError]


class Line(Protocol):
    """An open connection pool behind an SDK, which adds credentials and headers and does the transport."""

    @property
    def errors(self) -> Errors:
        """What `post` may raise."""
        ...

    async def post(self, path: str, body: bytes, /) -> httpx2.Response:
        """Sends a request that is answered with a stream, and gives the raw answer."""
        ...


async def load(module: str) -> Any:
    """The module of this family that holds an SDK, imported when the first provider that needs it is opened.

    An SDK costs tens of MB and up to a second: trees without it, and `headgate validate`, should not pay. The import
    runs in a thread, because a reload must not hold up streams.
    """
    return await asyncio.to_thread(import_module, module)


class Remote(ABC):
    """An opened provider that is asked over HTTP; a leaf says how a request is written and to which path it goes."""

    demo = False
    path: ClassVar[str]

    def __init__(self, spec: RemoteSpec, default_model: str, line: Line) -> None:
        self._spec = spec
        self._line = line
        self.default_model = default_model

    @abstractmethod
    def _prepare(self, request: ModelRequest) -> tuple[bytes, Reader]:
        """The JSON body of the request, and the reader of its answer."""

    async def stream(self, request: ModelRequest, /) -> AsyncIterator[ModelEvent]:
        """Yields the turn as it arrives. One request, no retry; closing the iterator closes the connection."""
        self._spec.require(request.model, self.default_model)
        body, reader = self._prepare(request)
        response = await self._begin(body)
        silence, over = Silence(self._spec.stall_timeout), False
        try:
            _require_stream(response)
            events = Events()
            async with contextlib.aclosing(response.aiter_bytes()) as chunks:
                while not reader.done and (chunk := await self._chunk(chunks, reader, silence)) is not None:
                    for data in _complete(events, chunk):
                        for event in reader.take(data):
                            yield event
                over = True
                await _drain(chunks, self._line.errors.lost)
        finally:
            silence.close()
            if not over:
                self._tell(request, reader.usage)
            await response.aclose()
        yield reader.result()

    def _tell(self, request: ModelRequest, usage: Usage) -> None:
        """Of a turn that is broken off, what the provider has said of it until now."""
        if usage.total:
            price = cost(request.model, usage, self._spec.prices, known=self._spec.listed)
            request.broken(Broken(usage, request.model, price))

    async def _begin(self, body: bytes) -> httpx2.Response:
        """Sends the request and waits for the head of a successful answer."""
        errors, seconds = self._line.errors, self._spec.timeout
        try:
            async with asyncio.timeout(seconds):
                return await self._line.post(self.path, body)
        except TimeoutError:
            raise unavailable("provider_timeout", f"the provider did not answer within {seconds:g} s") from None
        except errors.status as error:
            raise errors.refusal(error) from None
        except errors.lost:
            # The SDKs have no time limits here; what they call a timeout is a connection that was refused, too.
            raise unavailable("provider_connection", "the provider could not be reached") from None

    async def _chunk(self, chunks: AsyncGenerator[bytes, None], reader: Reader, silence: Silence) -> bytes | None:
        """The next bytes of the stream; when they do not come, None after a whole turn and an error before."""
        seconds = self._spec.stall_timeout
        try:
            if reader.whole:
                async with asyncio.timeout(min(seconds, _TAIL)):
                    return await anext(chunks)
            with silence:
                return await anext(chunks)
        except TimeoutError:
            error = unavailable("provider_stalled", f"the provider sent nothing for {seconds:g} s")
        except StopAsyncIteration:
            error = unavailable("provider_cut_off", "the provider's answer ended before it was whole")
        except self._line.errors.lost:
            error = unavailable("provider_connection", "the connection to the provider was lost")
        if reader.whole:
            return None
        raise error


def _require_stream(response: httpx2.Response) -> None:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/event-stream":
        raise ProviderError(f"the provider answered with {kind or 'no content type'} instead of an event stream")


def _complete(events: Events, chunk: bytes) -> list[bytes]:
    try:
        return events.feed(chunk)
    except ValueError:
        raise ProviderError("the provider sent an event that is too large") from None


async def _drain(chunks: AsyncGenerator[bytes, None], lost: tuple[type[Exception], ...]) -> None:
    """Reads to the end of the body, which is there by now: only then is the connection used again."""
    with contextlib.suppress(*lost, TimeoutError):
        async with asyncio.timeout(_DRAIN):
            async for _ in chunks:
                continue
