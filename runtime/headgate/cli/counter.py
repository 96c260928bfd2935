"""Where access to one's own accounts at MCP servers is asked for: at a server, or for a tree that nobody serves."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from headgate.boot import Gateway, Place, listening
from headgate.cli.client.http import Http, open_http
from headgate.cli.client.local import OPERATOR
from headgate.cli.client.site import Site
from headgate.core.context import Principal
from headgate.core.errors import ConfigError
from headgate.logs import configure
from headgate.mcp.authorizing import Authorizing
from headgate.server import authorizations
from headgate.settings import Settings

View = dict[str, Any]


class Counter(Protocol):
    """Every method is about one server, and raises `GatewayError`."""

    async def ask(self, server: str) -> View:
        """A link for a browser, as `url`, and until when it is good, as `expires_at`."""
        ...

    async def look(self, server: str) -> View:
        """What is granted."""
        ...

    async def leave(self, server: str) -> View:
        """Takes it back."""
        ...


@contextlib.asynccontextmanager
async def open_counter(site: Site, api_key: str) -> AsyncIterator[Counter]:
    """The counter of a server, or of a tree: that listens at its own port for people who come back."""
    if site.url is not None:
        async with open_http(site.url) as http:
            yield ServerCounter(http, api_key)
        return
    settings = Settings()
    configure(settings.log_level if "log_level" in settings.model_fields_set else "error")
    tree = (site.tree or settings.tree).resolve()
    if not tree.is_dir():
        raise ConfigError(f"there is no folder {tree}", hint="name the tree with --tree, or a server with --url")
    place = Place(tree=tree, state=settings.state_dir, host="127.0.0.1", port=settings.port)
    async with listening(place, OPERATOR) as gateway:
        yield TreeCounter(gateway, _principal(gateway, site.key))


class ServerCounter:
    """The native API of a server."""

    def __init__(self, http: Http, key: str) -> None:
        self._http = http
        self._key = key

    async def ask(self, server: str) -> View:
        """The server finds out where access is granted."""
        return await self._json("POST", server, "authorize")

    async def look(self, server: str) -> View:
        """As the server shows it."""
        return await self._json("GET", server, "authorization")

    async def leave(self, server: str) -> View:
        """The server forgets it."""
        return await self._json("DELETE", server, "authorization")

    async def _json(self, method: str, server: str, what: str) -> View:
        found: View = await self._http.json(method, f"/v1/mcp/{quote(server, safe='')}/{what}", self._key)
        return found


class TreeCounter:
    """A gateway that is there for as long as the command."""

    def __init__(self, gateway: Gateway, principal: Principal) -> None:
        self._edge = gateway.edge
        self._principal = principal

    async def ask(self, server: str) -> View:
        """As a server does it."""
        asker, callback = authorizations.asker_of(self._principal), f"{self._edge.base}{authorizations.CALLBACK}"
        flow, token = await self._at(server).ask(asker, callback)
        return {"url": authorizations.start_url(self._edge, token), "expires_at": flow.expires_at}

    async def look(self, server: str) -> View:
        """The same."""
        grant = await self._at(server).granted(self._principal.account)
        view: View = msgspec.to_builtins(authorizations.view(server, self._principal, grant))
        return view

    async def leave(self, server: str) -> View:
        """The same."""
        grant, revoked = await self._at(server).leave(self._principal.account)
        await authorizations.tell_revoked(self._edge, self._principal, server, grant, at_server=revoked)
        return {"server": server, "revoked": grant is not None, "at_server": revoked}

    def _at(self, server: str) -> Authorizing:
        return Authorizing(authorizations.server_of(self._edge, self._principal, server))


def _principal(gateway: Gateway, name: str | None) -> Principal:
    if name is None:
        return OPERATOR
    held = gateway.snapshot.principals.values()
    found = next((each for each in held if each.key == name), None)
    if found is None:
        names = ", ".join(sorted(each.key for each in held))
        raise ConfigError(f"[auth.keys] has no key {name!r}", hint=f"there are: {names or 'none'}")
    return found
