"""Who may knock: `Host` and `Origin` are checked before anything else (DNS rebinding, cross-site requests)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litestar.response.base import ASGIResponse

from headgate.compile.serving import Server
from headgate.server.errors import refusal

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, LifeSpanScope

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def allowed_hosts(server: Server, bound: str) -> frozenset[str]:
    """The host names under which the gateway may be addressed."""
    names = [*_LOOPBACK, bound, *server.allowed_hosts]
    if server.public_url:
        names.append(urlsplit(server.public_url).hostname or "")
    return frozenset(name.lower() for name in names if name and name not in ("0.0.0.0", "::"))


def allowed_origins(server: Server) -> frozenset[str]:
    """The origins whose pages may call the gateway, besides its own; `*` stands for all."""
    origins = [origin.rstrip("/") for origin in server.cors.origins]
    if server.public_url:
        url = urlsplit(server.public_url)
        origins.append(f"{url.scheme}://{url.netloc}")
    return frozenset(origin.lower() for origin in origins)


class Door:
    """An ASGI application in front of another: it refuses requests that name another host, that come from a page of
    another origin, or whose path is not written as the routes are."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], origins: frozenset[str]) -> None:
        self.app = app
        self._hosts = hosts
        self._origins = origins

    async def __call__(self, scope: HTTPScope | LifeSpanScope, receive: Any, send: Any) -> None:
        """Passes the request on, or answers 403 or 404."""
        app: Any = self.app
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        refused = self._refused(scope)
        await (refused or app)(_plain(scope, cors=bool(self._origins)), receive, send)

    def _refused(self, scope: HTTPScope) -> ASGIResponse | None:
        path, hosts, origins = scope["path"], _values(scope, b"host"), _values(scope, b"origin")
        if len(hosts) != 1 or _name(hosts[0]) not in self._hosts:
            detail = "the Host header names another host; add it to [server] allowed_hosts"
            return refusal(path, 403, "host_not_allowed", detail)
        if not all(self._welcome(origin, hosts[0]) for origin in origins):
            detail = "pages of this origin may not call the gateway; add it to [server.cors] origins"
            return refusal(path, 403, "origin_not_allowed", detail)
        if "//" in path or (path.endswith("/") and path != "/"):
            return refusal(path, 404, "not_found", "Not Found")
        return None

    def _welcome(self, origin: str, host: str) -> bool:
        own = {f"http://{host}", f"https://{host}"}
        return origin in own or origin in self._origins or "*" in self._origins


def _plain(scope: HTTPScope, *, cors: bool) -> HTTPScope:
    """The scope, with OPTIONS turned into a method that no route has unless it may be a preflight request: Litestar
    answers OPTIONS on every route by itself, which the routes' contracts do not know."""
    if scope["method"] != "OPTIONS" or (cors and _values(scope, b"access-control-request-method")):
        return scope
    return {**scope, "method": "NONE"}  # type: ignore[typeddict-item]


def _values(scope: HTTPScope, wanted: bytes) -> list[str]:
    """The values of a header, in lower case."""
    return [value.decode("latin-1").lower() for name, value in scope["headers"] if name == wanted]


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
