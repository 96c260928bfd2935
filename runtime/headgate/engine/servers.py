"""MCP servers that are declared through the API: documents of the table `mcp.servers`.

A document says what a server of the tree says. What is known of it besides stands in keys `x-...`, which specs pass
over: its id, which a change of the name does not change, when it was made, and what of it came as credentials.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from headgate.compile.aside import Aside
from headgate.compile.overlay import OverlayDocument
from headgate.compile.plan import Snapshot
from headgate.core.errors import Conflict, Invalid, NotFound
from headgate.engine.amend import Amender, Change
from headgate.manifest.redaction import Redactor
from headgate.mcp.credentials import NONE, OF_AUTH, STATIC, read_credentials
from headgate.mcp.listing import ListedTool
from headgate.mcp.naming import offers
from headgate.mcp.spec import ServerSpec
from headgate.mcp.upstream import Upstream

KIND = "mcp.servers"
ID, CREATED, HEADERS, CREDENTIALS, AUTH = "x-id", "x-created", "x-headers", "x-credentials", "x-auth-type"
_TREE = uuid.UUID("5f1d7a52-7a0e-4f2f-9a67-5a3c0f0e6d11")
_LOST = {"already_exists": "mcp_server_exists", "not_found": "mcp_server_not_found"}
_PLAIN = ("transport", "command", "args", "env", "url", "enabled")


@dataclass(frozen=True, slots=True)
class Declared:
    """One server: `spec` has its references resolved, `document` is None for one of the tree, `live` None for one that
    is not enabled or is set aside, `fault` says why it is."""

    id: str
    name: str
    spec: ServerSpec = field(repr=False)
    document: OverlayDocument | None
    live: Upstream | None
    fault: str = ""

    @property
    def connected(self) -> bool:
        """Whether it can be called now."""
        return self.live is not None and self.live.health.state == "ready"

    @property
    def tools(self) -> list[ListedTool]:
        """What it offers now."""
        if self.live is None or not self.connected:
            return []
        listed, held = self.live.listing.tools.values(), self.live.withheld
        return [each for each in listed if offers(self.spec, each.name) and each.name not in held]

    @property
    def header_keys(self) -> list[str]:
        """The names of its headers that are no credentials."""
        return sorted(self.spec.headers) if self.document is None else list(self.document.body.get(HEADERS, ()))

    @property
    def credential_keys(self) -> list[str]:
        """The names of its credentials."""
        if self.document is not None:
            return list(self.document.body.get(CREDENTIALS, ()))
        return sorted(self.spec.auth.model_fields_set) if self.spec.auth is not None else []

    @property
    def auth_type(self) -> str:
        """What the API calls the way its requests are signed."""
        if self.document is not None:
            return str(self.document.body.get(AUTH, NONE))
        kind = getattr(self.spec.auth, "type", None)
        return OF_AUTH.get(kind, STATIC) if kind is not None else NONE


def declared(snapshot: Snapshot) -> dict[str, Declared]:
    """Every server, by name: those of the API, those of the tree, and those that it imports."""
    live = {name: each for name, each in snapshot.servers.items() if isinstance(each, Upstream)}
    mcp = snapshot.gateway.mcp
    specs = {name: each.spec for name, each in live.items()}
    specs |= {name: mcp.effective(each) for name, each in mcp.servers.items()}
    found = {name: _declared(snapshot, name, each, live.get(name)) for name, each in specs.items()}
    aside = [each for each in snapshot.aside if each.document.kind == KIND and each.document.name not in found]
    found |= {each.document.name: _set_aside(snapshot, each) for each in aside}
    return dict(sorted(found.items()))


def _set_aside(snapshot: Snapshot, aside: Aside) -> Declared:
    """What can be said of a server whose document does not fit; it may not be well-formed."""
    body, name = aside.document.body, aside.document.name
    plain = {each: body[each] for each in _PLAIN if each in body}
    spec = ServerSpec.model_construct(**{**plain, "args": tuple(body.get("args", ()))})
    identity = str(body.get(ID) or uuid.uuid5(_TREE, name))
    return Declared(identity, name, spec, aside.document, None, snapshot.scrub(aside.reason))


def _declared(snapshot: Snapshot, name: str, spec: ServerSpec, live: Upstream | None) -> Declared:
    document = snapshot.overlay.get(KIND, name)
    own = document if document not in (*snapshot.hidden, *(each.document for each in snapshot.aside)) else None
    identity = own.body.get(ID) if own is not None else None
    return Declared(str(identity or uuid.uuid5(_TREE, name)), name, spec, own, live)


def find(snapshot: Snapshot, wanted: str) -> Declared:
    """The server with this id or name; raises `NotFound`."""
    known = declared(snapshot)
    found = next((each for each in known.values() if each.id == wanted), known.get(wanted))
    if found is None:
        raise NotFound(f"there is no MCP server {wanted[:80]!r}", code="mcp_server_not_found")
    return found


def own(snapshot: Snapshot, wanted: str) -> OverlayDocument:
    """The document of a server that the API made; raises `NotFound`, and `Conflict` for one of the tree."""
    found = find(snapshot, wanted)
    if found.document is None:
        where = f"gateway.toml as [{KIND}.{found.name}]" if found.name in snapshot.gateway.mcp.servers else "an import"
        raise Conflict(
            f"the tree declares MCP server {found.name!r}, in {where}: edit it there", code="declared_in_tree"
        )
    return found.document


def require_free(snapshot: Snapshot, name: str) -> None:
    """Raises `Conflict` when there is a server of this name."""
    held = declared(snapshot).get(name)
    if held is not None:
        where = "by the tree" if held.document is None else "through the API"
        raise Conflict(f"MCP server {name!r} is declared already, {where}", code="mcp_server_exists")


def made(name: str, said: Mapping[str, Any], by: str, now: float) -> Change:
    """The change that declares a server; raises `Invalid`."""
    body = {ID: str(uuid.uuid4()), CREATED: now, **_laid({}, said)}
    return Change(KIND, name, body, by, new=True)


def changed(held: OverlayDocument, said: Mapping[str, Any], by: str) -> Change:
    """The change of a server: what is said replaces what was, the rest stays. Raises `Invalid`."""
    name = str(said.get("name") or held.name)
    was = held.name if name != held.name else None
    return Change(KIND, name, _laid(held.body, said), by, revision=held.revision, was=was)


def _laid(held: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    body = {**held, **{name: said[name] for name in _PLAIN if name in said}}
    if "headers" in said or "credentials" in said:
        body |= _signed(held, said)
    return {name: value for name, value in body.items() if value is not None and value not in ({}, [])}


def _signed(held: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Headers that stand for themselves, those that are credentials, and `auth`; each replaced as a whole."""
    sent, plain = held.get("headers", {}), held.get(HEADERS, ())
    headers = {name: value for name, value in sent.items() if name in plain}
    secret = {name: value for name, value in sent.items() if name not in plain}
    body: dict[str, Any] = {}
    if "headers" in said:
        headers = dict(said["headers"] or {})
    if "credentials" in said:
        given = said["credentials"] or {}
        signing = read_credentials(given)
        body = {"auth": signing.auth, AUTH: signing.kind, CREDENTIALS: sorted(given)}
        secret = signing.headers
    for name in secret:
        if name.lower() in {each.lower() for each in headers}:
            raise Invalid(f"the header {name} is in 'headers' and in 'credentials': keep one of them")
    return {**body, "headers": {**headers, **secret}, HEADERS: sorted(headers)}


async def amend(amender: Amender, change: Change) -> None:
    """Makes the change; an error of it shows nothing of what servers keep to themselves."""
    try:
        await amender.amend(change)
    except Invalid as error:
        raise _silent(error, change.body or {}) from None
    except (Conflict, NotFound) as error:  # another change came first
        raise type(error)(error.message, code=_LOST.get(error.code, error.code), details=error.details) from None


def _silent(error: Invalid, body: Mapping[str, Any]) -> Invalid:
    values = [body.get(name) for name in ("args", "env", "url", "headers", "auth")]
    scrub = Redactor(_texts(values)).scrub
    found = error.details.get("diagnostics", ())
    shown = tuple(replace(each, message=scrub(each.message), hint=scrub(each.hint)) for each in found)
    return Invalid(scrub(error.message), code=error.code, details={"diagnostics": shown})


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


async def withdraw(amender: Amender, change: Change) -> None:
    """Makes a change after which the server is not there under its name of now: its connection and its program end at
    once, also for runs in progress. Raises `Conflict` when something of the tree needs the server."""
    name = change.was or change.name
    try:
        await amend(amender, change)
    except Invalid as error:
        if change.body is not None:
            raise
        raise Conflict(f"MCP server {name!r} is needed: {error.message}", code="mcp_server_in_use") from None
