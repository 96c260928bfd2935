"""Where keys and kill switches are administrated: on a server, or in the ledger of a tree that nobody serves."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from headgate.boot import Place
from headgate.cli.client.http import Http, open_http
from headgate.cli.client.site import Site
from headgate.cli.store import read_tree, store_of
from headgate.compile.aside import spares_all
from headgate.compile.compiler import Compiled
from headgate.compile.keyring import compile_tree
from headgate.compile.overlay import Overlay, OverlayDocument
from headgate.compile.switches import KillSwitch
from headgate.connect import cipher_of
from headgate.core.context import Principal
from headgate.core.errors import ConfigError, Invalid, NotFound
from headgate.engine import keys, kills
from headgate.engine.amend import Change, Replacement, refusal
from headgate.engine.auditor import Auditor
from headgate.engine.overlays import Overlays
from headgate.kinds import DEFAULT_KINDS
from headgate.server.key_views import defaults, key_view
from headgate.server.kill_views import view_of
from headgate.settings import Settings
from headgate.state import prepare
from headgate.stores.port import Ledger

View = dict[str, Any]
OPERATOR = Principal(key="local operator", team="default", digest="", scopes=frozenset({"*"}))
"""Who works on a tree that nobody serves: whoever can write it may do everything."""


class Office(Protocol):
    """Makes and takes away; every method raises `GatewayError`."""

    async def keys(self) -> list[View]:
        """All keys, without their secrets."""
        ...

    async def create(self, said: View) -> View:
        """A new key, with its secret."""
        ...

    async def rotate(self, name: str, overlap: int) -> View:
        """The key with a new secret."""
        ...

    async def revoke(self, name: str) -> None:
        """The key works no more."""
        ...

    async def kills(self) -> list[View]:
        """The kill switches that are on."""
        ...

    async def kill(self, said: View) -> View:
        """Puts one on."""
        ...

    async def revive(self, name: str) -> None:
        """Takes one off."""
        ...


@contextlib.asynccontextmanager
async def open_office(site: Site, api_key: str) -> AsyncIterator[Office]:
    """The office of a server, or of a tree; raises `ConfigError` while a gateway serves the tree."""
    if site.url is not None:
        async with open_http(site.url) as http:
            yield ServerOffice(http, api_key)
        return
    if site.key is not None:
        raise ConfigError("a tree is administrated by the operator of its machine", hint="leave --key out")
    compiled = await read_tree(site.tree)
    async with store_of(compiled).opened() as ledger:
        yield await TreeOffice.opened(ledger, compiled)


class ServerOffice:
    """The native API of a server."""

    def __init__(self, http: Http, key: str) -> None:
        self._http = http
        self._key = key

    async def keys(self) -> list[View]:
        """As the server shows them."""
        found: list[View] = (await self._http.json("GET", _KEYS, self._key))["items"]
        return found

    async def create(self, said: View) -> View:
        """The server decides who may."""
        found: View = await self._http.json("POST", _KEYS, self._key, json=said)
        return found

    async def rotate(self, name: str, overlap: int) -> View:
        """The same."""
        path = f"{_KEYS}/{quote(name, safe='')}/rotate"
        found: View = await self._http.json("POST", path, self._key, json={"overlap_s": overlap})
        return found

    async def revoke(self, name: str) -> None:
        """The same."""
        await self._http.json("DELETE", f"{_KEYS}/{quote(name, safe='')}", self._key)

    async def kills(self) -> list[View]:
        """As the server shows them."""
        found: list[View] = (await self._http.json("GET", _KILLS, self._key))["items"]
        return found

    async def kill(self, said: View) -> View:
        """The server decides who may."""
        found: View = await self._http.json("POST", _KILLS, self._key, json=said)
        return found

    async def revive(self, name: str) -> None:
        """The same."""
        await self._http.json("DELETE", f"{_KILLS}/{quote(name, safe='')}", self._key)


_KEYS = "/v1/admin/keys"
_KILLS = "/v1/admin/kill-switches"


class TreeOffice:
    """A ledger that no gateway is at work on; what is changed here is live when one is."""

    def __init__(self, ledger: Ledger, overlays: Overlays, overlay: Overlay, compiled: Compiled) -> None:
        self._ledger = ledger
        self._overlays = overlays
        self._overlay = overlay
        self._compiled = compiled

    @classmethod
    async def opened(cls, ledger: Ledger, compiled: Compiled) -> TreeOffice:
        """The office, with what the ledger holds now."""
        draft = compiled.draft
        if draft.gateway is None:
            raise ConfigError("gateway.toml cannot be read", hint="headgate validate says why")
        state = prepare(Settings().state_dir or draft.tree.root / ".headgate")
        overlays = Overlays(ledger, cipher_of(draft.gateway, state))
        overlay = await overlays.read()
        return cls(ledger, overlays, overlay, await _compiled(compiled, overlay))

    async def keys(self) -> list[View]:
        """Those of the tree and those of the API."""
        gateway = self._compiled.draft.gateway
        return [self._key(name) for name in sorted(gateway.auth.keys)] if gateway else []

    async def create(self, said: View) -> View:
        """As a server does it for who may do everything."""
        body = {name: value for name, value in said.items() if name != "name"}
        minted = keys.mint(said["name"], defaults(OPERATOR) | body, OPERATOR)
        await self._amend(minted.change, "key.made")
        return {"key": minted.secret, **self._key(said["name"])}

    async def rotate(self, name: str, overlap: int) -> View:
        """The same."""
        minted = keys.rotate(name, self._held(keys.KIND, name).body, overlap, OPERATOR, time.time())
        await self._amend(minted.change, "key.changed")
        return {"key": minted.secret, **self._key(name)}

    async def revoke(self, name: str) -> None:
        """The same."""
        self._held(keys.KIND, name)
        await self._amend(Change(keys.KIND, name, None, OPERATOR.key), "key.revoked")

    async def kills(self) -> list[View]:
        """Those of the tree and those of the API."""
        gateway = self._compiled.draft.gateway
        return [self._kill(name) for name in sorted(gateway.kill_switches)] if gateway else []

    async def kill(self, said: View) -> View:
        """Counts when the tree is served."""
        change = kills.switch(said["kind"], said.get("target"), said["reason"], by=OPERATOR.key, name=said.get("name"))
        await self._amend(change, "kill.on")
        return self._kill(change.name)

    async def revive(self, name: str) -> None:
        """The same."""
        self._held(kills.KIND, name)
        await self._amend(Change(kills.KIND, name, None, OPERATOR.key), "kill.off")

    async def _amend(self, change: Change, told: str) -> None:
        """Compiles before it writes, as a running gateway does."""
        made = Replacement.of(change, self._overlay, time.time())
        document, compiled = made.document, await _compiled(self._compiled, made.wanted, but=change.name)
        made.vet(compiled)
        if document is not None and not compiled.ok:
            raise refusal(compiled.shown, {document.path})
        missed = [each for each in compiled.shown if document and each.path == document.path and each.code == "HG1206"]
        if missed:
            raise Invalid(f"{missed[0].message}; {missed[0].hint}")
        await made.keep(self._overlays, compiled)
        self._overlay, self._compiled = made.wanted, compiled
        await Auditor(self._ledger).tell(told, OPERATOR, details={"name": change.name, "offline": True})

    def _held(self, kind: str, name: str) -> OverlayDocument:
        held = self._overlay.get(kind, name)
        if held is None:
            raise NotFound(f"there is no {kind} {name!r} that was made through the API; the tree's are edited there")
        return held

    def _document(self, kind: str, name: str) -> OverlayDocument | None:
        held = self._overlay.get(kind, name)
        return None if held in self._compiled.draft.hidden else held

    def _key(self, name: str) -> View:
        gateway = self._compiled.draft.gateway
        if gateway is None:
            raise ConfigError("gateway.toml cannot be read")
        view: View = msgspec.to_builtins(
            key_view(name, gateway.auth.keys[name], self._document(keys.KIND, name), time.time())
        )
        return view

    def _kill(self, name: str) -> View:
        gateway = self._compiled.draft.gateway
        if gateway is None:
            raise ConfigError("gateway.toml cannot be read")
        held: KillSwitch = gateway.kill_switches[name]
        view: View = msgspec.to_builtins(view_of(name, held, self._document(kills.KIND, name)))
        return view


async def _compiled(compiled: Compiled, overlay: Overlay, but: str | None = None) -> Compiled:
    """The tree with the overlay; a document that does not fit is set aside, as at a start, `but` for this one."""

    def spare(document: OverlayDocument) -> bool:
        return spares_all(document) and document.name != but

    settings = Settings()
    place = Place(compiled.draft.tree.root, host=settings.host, port=settings.port)
    return await compile_tree(place.tree, DEFAULT_KINDS, place.environment(), overlay=overlay, spare=spare)
