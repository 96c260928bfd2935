"""The shared HTTP client: behind the egress guard, without cookies, proxies or redirects of its own."""

from __future__ import annotations

import contextlib
import http.cookiejar
import ssl
from collections.abc import AsyncIterator, Callable

import httpx2

from headgate import __version__
from headgate.core.errors import ToolError
from headgate.net.egress import Egress
from headgate.net.transport import GuardedTransport, Resolve, resolve_system

MAX_REDIRECTS = 5
USER_AGENT = f"headgate/{__version__}"
Around = Callable[[httpx2.AsyncBaseTransport], httpx2.AsyncBaseTransport]
LIMITS = httpx2.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30.0)

# What a redirect to another origin keeps. Any other header may be a credential, whatever its name is.
_HARMLESS = ("accept", "accept-encoding", "accept-language", "connection", "host", "user-agent")


def make_client(
    egress: Egress,
    *,
    timeout: float | httpx2.Timeout = 30.0,
    limits: httpx2.Limits = LIMITS,
    context: ssl.SSLContext | None = None,
    resolve: Resolve = resolve_system,
    around: Around | None = None,
) -> httpx2.AsyncClient:
    """A client that has not been entered; `timeout` in seconds is for connecting and for each read and write.

    TLS is verified against the system's trust store (`SSL_CERT_FILE` is honoured as OpenSSL does) unless `context`
    says otherwise. An address that may not be dialled raises `EgressRefused`, never an error of `httpx2`. `around`
    stands between the client and the guard.
    """
    transport: httpx2.AsyncBaseTransport = GuardedTransport(
        egress, context=context or httpx2.create_ssl_context(), limits=limits, resolve=resolve
    )
    no_cookies = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    return httpx2.AsyncClient(
        transport=around(transport) if around is not None else transport,
        timeout=timeout,
        trust_env=False,
        cookies=no_cookies,
        headers={"User-Agent": USER_AGENT},
        follow_redirects=False,
    )


@contextlib.asynccontextmanager
async def open_client(
    egress: Egress,
    *,
    timeout: float = 30.0,
    limits: httpx2.Limits = LIMITS,
    context: ssl.SSLContext | None = None,
    resolve: Resolve = resolve_system,
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of `make_client`, open."""
    client = make_client(egress, timeout=timeout, limits=limits, context=context, resolve=resolve)
    async with client:
        yield client


@contextlib.asynccontextmanager
async def exchange(
    client: httpx2.AsyncClient, request: httpx2.Request, *, redirects: int = 0
) -> AsyncIterator[httpx2.Response]:
    """Sends a request and yields the response with its body unread.

    At most `redirects` redirects are followed. One to another origin keeps only harmless headers, so that no
    credential travels to a host that the manifest does not name.
    """
    response = await client.send(request, stream=True, follow_redirects=False)
    try:
        for _ in range(redirects):
            if response.next_request is None:
                break
            request = _hop(request, response.next_request)
            await response.aclose()
            response = await client.send(request, stream=True, follow_redirects=False)
        yield response
    finally:
        await response.aclose()


def _hop(before: httpx2.Request, after: httpx2.Request) -> httpx2.Request:
    if after.url.origin == before.url.origin:
        return after
    kept = [(name, value) for name, value in after.headers.items() if name.lower() in _HARMLESS]
    return httpx2.Request(after.method, after.url, headers=kept, extensions=after.extensions)


async def read(response: httpx2.Response, limit: int) -> bytes:
    """The decoded body; raises `ToolError("result_too_large")` as soon as it is larger than `limit` bytes."""
    parts, size = [], 0
    async with contextlib.aclosing(response.aiter_bytes()) as chunks:
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise ToolError("result_too_large", f"the answer is larger than {limit} bytes")
            parts.append(chunk)
    return b"".join(parts)


async def read_start(response: httpx2.Response, limit: int) -> bytes:
    """The first `limit` bytes of the decoded body; the rest is not read."""
    start = b""
    async with contextlib.aclosing(response.aiter_bytes()) as chunks:
        async for chunk in chunks:
            start += chunk
            if len(start) >= limit:
                break
    return start[:limit]
