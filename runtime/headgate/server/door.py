"""Who may knock: `Host` and `Origin` are checked before anything else (DNS rebinding, cross-site requests)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from litestar.middleware import ASGIMiddleware

from headgate.compile.specs import Server
from headgate.server.errors import refusal

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Receive, Scope, Send

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def allowed_hosts(server: Server, bound: str) -> frozenset[str]:
    """The host names under which the gateway may be addressed."""
    names = [*_LOOPBACK, bound, *server.allowed_hosts]
    if server.public_url:
        names.append(urlsplit(server.public_url).hostname or "")
    return frozenset(name.lower() for name in names if name and name not in ("0.0.0.0", "::"))


class Door(ASGIMiddleware):
    """Refuses requests that name another host, or that come from a page of another origin."""

    def __init__(self, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._hosts = frozenset(hosts)
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Passes the request on, or answers 403."""
        host, origin = _headers(scope)
        if _name(host) not in self._hosts:
            detail = "the Host header names another host; add it to [server] allowed_hosts"
            await refusal(scope["path"], 403, "host_not_allowed", detail)(scope, receive, send)
        elif origin and not self._welcome(origin, host):
            detail = "pages of this origin may not call the gateway; add it to [server.cors] origins"
            await refusal(scope["path"], 403, "origin_not_allowed", detail)(scope, receive, send)
        else:
            await next_app(scope, receive, send)

    def _welcome(self, origin: str, host: str) -> bool:
        if origin in self._origins or "*" in self._origins:
            return True
        return urlsplit(origin).netloc == host


def _headers(scope: Scope) -> tuple[str, str]:
    """`Host` and `Origin`, in lower case; empty when they are absent."""
    found = {b"host": "", b"origin": ""}
    for name, value in scope["headers"]:
        if name in found:
            found[name] = value.decode("latin-1").lower()
    return found[b"host"], found[b"origin"]


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
