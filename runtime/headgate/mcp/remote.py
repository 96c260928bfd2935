"""The transports to servers with a URL, behind the egress guard: streamable HTTP, and SSE as before 2025-03-26."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from headgate.core.errors import EgressRefused, GatewayError
from headgate.core.kind import Env
from headgate.mcp.auth_kind import REFUSAL, Refusing
from headgate.mcp.faults import fault_of, of_status
from headgate.mcp.spec import ServerSpec

MAX_MESSAGE = 16 << 20
"""Bytes of one message of a server."""
EXCESSIVE = f"the server's message is larger than {MAX_MESSAGE >> 20} MiB"
FAREWELL = 2.0
"""Seconds that a server has to answer the end of a session."""
_WRITE = 30.0


@dataclass(slots=True)
class Sending:
    """What became of one request on its way: whether it left at all, the HTTP error it was answered with, or why it had
    no credential, and whether the answer was `excessive`."""

    left: bool = True
    excessive: bool = False
    status: int | None = None
    refusal: GatewayError | None = None


SENDING: ContextVar[Sending | None] = ContextVar("sending", default=None)
"""Of the request that is sent in this context. The SDK makes the POST of a request in the context of who asked for it,
and tells nobody whether it left."""


@contextlib.contextmanager
def judged() -> Iterator[None]:
    """Where the server refuses the credential of what is sent inside, that is raised, whatever the SDK makes of it."""
    sending = Sending()
    token = SENDING.set(sending)
    try:
        yield
    except MCPError as error:
        if sending.refusal is not None:
            raise fault_of(sending.refusal) from error
        if sending.status in (401, 403):
            raise of_status(sending.status) from error
        raise
    finally:
        SENDING.reset(token)


class Watched(httpx2.AsyncBaseTransport):
    """Notes how requests fare; bounds bodies that are read as a whole, and what a hung server can hold up."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, broken: Callable[[], None] | None = None) -> None:
        self._inner = inner
        self._broken = broken
        self.status: int | None = None
        self.refusal: GatewayError | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends one request."""
        sending = SENDING.get()
        self.refusal = request.extensions.get(REFUSAL)
        if self.refusal is not None:
            if sending is not None:
                sending.refusal = self.refusal
            return httpx2.Response(502, request=request)
        if request.method == "DELETE":
            request.extensions = {**request.extensions, "timeout": dict.fromkeys(_TIMEOUTS, FAREWELL)}
        try:
            response = await self._sent(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, EgressRefused):
            if sending is not None:
                sending.left = False
            raise
        if response.status_code >= 400:
            if self.status != 401:  # whatever is tried after that fails for the same reason, but may be told otherwise
                self.status = response.status_code
            if sending is not None:
                sending.status = response.status_code
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _Bounded(response.stream, sending)
        return response

    async def _sent(self, request: httpx2.Request) -> httpx2.Response:
        good = False
        try:
            response = await self._inner.handle_async_request(request)
            good = response.status_code < 400
            return response
        finally:
            if not good and request.method == "POST" and self._broken is not None:
                self._broken()

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._inner.aclose()


_TIMEOUTS = ("connect", "read", "write", "pool")


class _Bounded(httpx2.AsyncByteStream):
    """A body of at most `MAX_MESSAGE` bytes."""

    def __init__(self, stream: httpx2.AsyncByteStream, sending: Sending | None) -> None:
        self._stream = stream
        self._sending = sending

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._stream:
            size += len(part)
            if size > MAX_MESSAGE:
                if self._sending is not None:
                    self._sending.excessive = True
                raise httpx2.ReadError(EXCESSIVE)
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


@contextlib.asynccontextmanager
async def reached(
    spec: ServerSpec, env: Env, broken: Callable[[], None], auth: httpx2.Auth | None = None
) -> AsyncIterator[tuple[TransportStreams, Watched]]:
    """The streams to the server at the URL of the spec, and who watches its requests. `broken` hears when nothing more
    can be sent, which the SDK's transport for SSE tells nobody."""
    assert spec.url is not None
    seen: list[Watched] = []

    def watched(inner: httpx2.AsyncBaseTransport) -> Watched:
        seen.append(Watched(inner, broken if spec.kind == "sse" else None))
        return seen[-1]

    async with contextlib.AsyncExitStack() as stack:
        # A read may take as long as the call that it is for, and a stream of changes for ever.
        timeout = httpx2.Timeout(spec.connection_timeout or 10.0, read=None, write=_WRITE)
        context = await asyncio.to_thread(_trust)
        client = env.client(timeout=timeout, around=watched, context=context)
        client.headers.update(spec.headers)
        if auth is not None:
            client.auth = Refusing(auth)
        if spec.kind == "sse":
            streams = await stack.enter_async_context(sse_client(spec.url, httpx_client_factory=_factory(client)))
        else:
            await stack.enter_async_context(client)
            streams = await stack.enter_async_context(
                streamable_http_client(spec.url, http_client=client, max_sse_event_size=MAX_MESSAGE)
            )
        try:
            yield streams, seen[0]
        except (GatewayError, MCPError, ExceptionGroup) as error:
            if seen[0].refusal is not None:
                raise fault_of(seen[0].refusal) from error
            raise


@functools.cache
def _trust() -> ssl.SSLContext:
    """The system's trust store. Reading it takes long, and a connection may be made every few seconds."""
    return httpx2.create_ssl_context()


def _factory(client: httpx2.AsyncClient) -> Any:
    """The SDK wants to make the client of this transport by itself, and may not: it would not be behind the guard."""

    def made(**_settings: Any) -> httpx2.AsyncClient:
        return client

    return made
