"""The transport of the shared HTTP client: the address that the egress guard checked is the address that is dialled.

The guard sits where TCP connections are made, below redirects and the connection pool, so there is no second
look-up that could answer differently (DNS rebinding) and no request that goes around it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence

import httpcore2
import httpx2

from headgate.net.egress import Egress

_PORTS = {"http": 80, "https": 443}

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve_system(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, in the order of preference of the system (RFC 6724)."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Dialer(httpcore2.AsyncNetworkBackend):
    """Makes the TCP connections of one URL scheme, to permitted addresses alone."""

    def __init__(self, egress: Egress, scheme: str, resolve: Resolve) -> None:
        self._egress = egress
        self._scheme = scheme
        self._resolve = resolve
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first permitted address that answers; raises `EgressRefused` when none is permitted."""
        self._egress.screen(self._scheme, host, port)
        permitted = self._egress.permit(self._scheme, host, port, await self._look_up(host, port, timeout))
        share = None if timeout is None else timeout / len(permitted)
        failure: Exception | None = None
        for address in permitted:
            try:
                return await self._backend.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore2.ConnectError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        """Waits between the attempts of the pool."""
        await asyncio.sleep(seconds)

    async def _look_up(self, host: str, port: int, timeout: float | None) -> Sequence[str]:
        try:
            async with asyncio.timeout(timeout):
                return await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout("the host name was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError("the host name could not be resolved") from error


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Connection pools behind the guard; one a scheme, because a connection alone does not tell which it is for."""

    def __init__(self, egress: Egress, *, context: ssl.SSLContext, limits: httpx2.Limits, resolve: Resolve) -> None:
        self._egress = egress
        self._pools = {
            scheme: httpcore2.AsyncConnectionPool(
                ssl_context=context,
                max_connections=limits.max_connections,
                max_keepalive_connections=limits.max_keepalive_connections,
                keepalive_expiry=limits.keepalive_expiry,
                network_backend=Dialer(egress, scheme, resolve),
            )
            for scheme in _PORTS
        }

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends one request; raises `EgressRefused` as it is, and the errors of the pool as those of `httpx2`."""
        url = request.url
        self._egress.screen(url.scheme, url.host, url.port or _PORTS.get(url.scheme, 0))
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        content = request.stream if isinstance(request.stream, httpx2.AsyncByteStream) else None
        outgoing = httpcore2.Request(
            request.method, target, headers=request.headers.raw, content=content, extensions=request.extensions
        )
        with _translated():
            incoming = await self._pools[url.scheme].handle_async_request(outgoing)
        assert isinstance(incoming.stream, AsyncIterable)
        return httpx2.Response(
            incoming.status, headers=incoming.headers, stream=_Body(incoming.stream), extensions=incoming.extensions
        )

    async def aclose(self) -> None:
        """Closes every connection."""
        for pool in self._pools.values():
            await pool.aclose()


class _Body(httpx2.AsyncByteStream):
    """The body of a response, with the errors of the pool translated."""

    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated():
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()


_POOL_ERRORS = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """The errors of httpcore2 have namesakes in httpx2, which is what callers of the client expect."""
    try:
        yield
    except _POOL_ERRORS as error:
        raise getattr(httpx2, type(error).__name__, httpx2.TransportError)(str(error)) from error
