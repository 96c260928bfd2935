"""API keys through the API: made, changed, rotated and revoked while the gateway runs."""

from __future__ import annotations

import time
from typing import Any

from litestar import Request, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from headgate.compile.overlay import OverlayDocument
from headgate.core.context import Principal
from headgate.core.errors import Conflict, NotFound
from headgate.engine import keys
from headgate.engine.keys import KIND
from headgate.server.edge import Edge
from headgate.server.key_views import (
    GoneKey,
    KeyList,
    KeyPatch,
    KeyView,
    MadeKey,
    NewKey,
    Rotate,
    defaults,
    key_view,
    made,
)
from headgate.server.native import native, read
from headgate.server.status import etag
from headgate.server.wire import answer

SCOPES = ("admin:keys",)
_PATH = "/v1/admin/keys/{key_name:str}"
ByKey = Request[Principal, Any, State]


@get("/v1/admin/keys", **native("keys", "List keys", scopes=SCOPES, answers={200: KeyList}))
async def list_keys(edge: NamedDependency[Edge]) -> ASGIResponse:
    """Those of the tree and those of the API, without their secrets."""
    names = sorted(edge.snapshot.gateway.auth.keys)
    return answer(KeyList([_view(edge, name) for name in names]), headers={"etag": etag(edge)})


@post(
    "/v1/admin/keys",
    **native("keys", "Make a key", scopes=SCOPES, body=NewKey, answers={201: MadeKey}, errors=(409,)),
)
async def create_key(request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """The only answer that has the secret. A key cannot give what it does not have itself, unless it has `admin:*`."""
    body = await read(request, NewKey)
    said = defaults(request.user) | body.model_dump(exclude_unset=True, exclude_none=True, exclude={"name"})
    minted = keys.mint(body.name, said, request.user)
    await _amend(edge, request, minted.change)
    return answer(made(_view(edge, body.name), minted.secret), 201, {"location": f"/v1/admin/keys/{body.name}"})


@get(_PATH, **native("keys", "One key", scopes=SCOPES, answers={200: KeyView}, errors=(404,)))
async def get_key(key_name: FromPath[str], edge: NamedDependency[Edge]) -> ASGIResponse:
    """Without its secret, which nobody knows any more."""
    return answer(_view(edge, key_name), headers={"etag": etag(edge)})


@patch(
    _PATH,
    **native("keys", "Change a key", scopes=SCOPES, body=KeyPatch, answers={200: KeyView}, errors=(404, 409)),
)
async def patch_key(key_name: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """What a key loses, it loses at once: runs and streams that it may not have any more end."""
    body = await read(request, KeyPatch)
    held = _own(edge, key_name)
    await _amend(edge, request, keys.patch(key_name, held.body, body.model_dump(exclude_unset=True), request.user))
    return answer(_view(edge, key_name))


@post(
    f"{_PATH}/rotate",
    **native("keys", "Change a key's secret", scopes=SCOPES, body=Rotate, answers={200: MadeKey}, errors=(404, 409)),
)
async def rotate_key(key_name: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """A new secret. The old one works for `overlap_s` seconds more, or stops at once; its sessions and runs end with
    it."""
    body = await read(request, Rotate, empty=True)
    held = _own(edge, key_name)
    minted = keys.rotate(key_name, held.body, body.overlap_s, request.user, time.time())
    await _amend(edge, request, minted.change)
    return answer(made(_view(edge, key_name), minted.secret))


@delete(_PATH, **native("keys", "Revoke a key", scopes=SCOPES, answers={200: GoneKey}, errors=(404, 409)))
async def delete_key(key_name: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """The key stops working, its runs end with the outcome `revoked`, and its streams are cut."""
    held = edge.snapshot.overlay.get(KIND, key_name)
    if held is None:
        _own(edge, key_name)
    await _amend(edge, request, keys.revoke(key_name, held.body if held else None, request.user))
    await edge.tidy()  # who gets a key of this name next has none of what this one granted
    return answer(GoneKey(key_name))


async def _amend(edge: Edge, request: ByKey, change: Any) -> None:
    await edge.amender.amend(change)
    verb = "revoked" if change.body is None else "made" if change.new else "changed"
    await edge.host.auditor.tell(f"key.{verb}", request.user, details={"name": change.name, **_rights(change.body)})


def _rights(body: dict[str, Any] | None) -> dict[str, Any]:
    """What the audit log tells of a key."""
    told = ("team", "scopes", "agents", "tools", "profile", "expires_at")
    return {name: body[name] for name in told if name in body} if body else {}


def _own(edge: Edge, name: str) -> OverlayDocument:
    """The document of a key that the API made; raises `NotFound`, or `Conflict` for one of the tree."""
    held = edge.snapshot.overlay.get(KIND, name)
    if name in edge.snapshot.gateway.auth.keys and (held is None or held in edge.snapshot.hidden):
        raise Conflict(f"the tree declares key {name!r}: edit it there", code="declared_in_tree")
    if held is None:
        raise NotFound(f"there is no key {name[:80]!r}", code="key_not_found")
    return held


def _view(edge: Edge, name: str) -> KeyView:
    key = edge.snapshot.gateway.auth.keys.get(name)
    if key is None:
        raise NotFound(f"there is no key {name[:80]!r}", code="key_not_found")
    held = edge.snapshot.overlay.get(KIND, name)
    return key_view(name, key, None if held in edge.snapshot.hidden else held, time.time())
