"""The way to a provider's server: one connection pool, and headers that are made once.

A driver: `open()` imports this module, because the HTTP client costs trees that ask no server too much.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from headgate import __version__

_CONNECTIONS = 10_000
_KEEPALIVE = 60.0
_HEADERS = {
    "Accept": "text/event-stream",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": f"headgate/{__version__}",
}


class HttpLine:
    """Fulfils `Line` with a session of aiohttp."""

    lost = (aiohttp.ClientError, OSError)

    def __init__(self, session: aiohttp.ClientSession, base_url: str, options: Mapping[str, Any]) -> None:
        """`options` are given to the session with every request."""
        self._session = session
        self._base = base_url.rstrip("/")
        self._options = options
        self._urls: dict[str, URL] = {}

    async def post(self, path: str, body: bytes, /) -> aiohttp.ClientResponse:
        """See `Line.post`."""
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(self._base + path)
        return await self._session.post(url, data=body, allow_redirects=False, **self._options)


@contextlib.asynccontextmanager
async def connect(base_url: str, headers: Mapping[str, str]) -> AsyncIterator[HttpLine]:
    """A pool for the server at `base_url`; `headers` are sent with every request; of two with one name the
    last counts, and all of them more than our own.

    It takes nothing from the environment but proxies and certificate authorities. Time limits are the caller's.
    """
    sent, proxy = _merged(headers), _proxy(URL(base_url))
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEPALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
        # A proxy would be sent the headers of the session, the credential among them.
        headers=None if proxy else sent,
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
    )
    async with session:
        yield HttpLine(session, base_url, {"headers": sent, **proxy} if proxy else {})


def _merged(headers: Mapping[str, str]) -> dict[str, str]:
    """Each header once, whatever the case of its name; the last one counts."""
    found = {name.lower(): (name, value) for name, value in (*_HEADERS.items(), *headers.items())}
    return dict(found.values())


def _proxy(url: URL) -> dict[str, Any]:
    """What sends requests for `url` through the proxy that the environment names for it."""
    proxies = getproxies()
    named = proxies.get(url.scheme) or proxies.get("all")
    if not named or not url.host or proxy_bypass(f"{url.host}:{url.port}"):
        return {}
    proxy = URL(named if "://" in named else f"http://{named}")
    if proxy.user is None:
        return {"proxy": proxy}
    credential = aiohttp.encode_basic_auth(proxy.user, proxy.password or "")
    return {"proxy": proxy.with_user(None), "proxy_headers": {"Authorization": credential}}
