"""API keys on the wire: never the secret, but once, when it is made."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from pydantic import Field

from headgate.compile.auth import Key, seconds_of
from headgate.compile.overlay import OverlayDocument
from headgate.core.context import Principal
from headgate.core.scalars import NAME
from headgate.server.bodies import Body, Patch

Name = Annotated[str, Field(pattern=NAME, max_length=64)]
Words = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=200)]
Short = Annotated[str, Field(min_length=1, max_length=500)]


class KeyPatch(Patch):
    """Body of `PATCH /v1/admin/keys/{name}`: what is not given stays; null takes a profile, an end or a description
    away."""

    team: Short | None = None
    scopes: Words | None = None
    agents: Words | None = None
    tools: Words | None = None
    profile: Short | None = None
    expires_at: Short | None = None
    description: Short | None = None

    never_null = frozenset({"team", "scopes", "agents", "tools"})


class NewKey(KeyPatch):
    """Body of `POST /v1/admin/keys`; what is not given is the maker's own team and profile, the scope `chat`, and all
    agents and tools."""

    name: Name


class Rotate(Body):
    """Body of `POST /v1/admin/keys/{name}/rotate`: for how many seconds the old secret still works."""

    overlap_s: Annotated[int, Field(ge=0, le=30 * 86_400)] = 0


class KeyView(msgspec.Struct, kw_only=True):
    """A key. `source` says where it is declared: one of the `tree` is changed there. `revision` counts its changes
    through the API; `previous_until` is when the secret before the last rotation stops working."""

    name: str
    source: Literal["tree", "api"]
    team: str
    scopes: list[str]
    agents: list[str]
    tools: list[str]
    profile: str | None
    description: str | None
    expires_at: str | None
    expired: bool
    previous_until: str | None
    created_at: float | None
    created_by: str | None
    updated_at: float | None
    updated_by: str | None
    revision: int | None


class MadeKey(KeyView, kw_only=True):
    """A key with its secret, which is not shown again."""

    key: str


class KeyList(msgspec.Struct):
    """All keys, by name."""

    items: list[KeyView]


class GoneKey(msgspec.Struct):
    """A key that works no more."""

    name: str
    revoked: bool = True


def key_view(name: str, key: Key, document: OverlayDocument | None, now: float) -> KeyView:
    """A key of the tree, or with its document one of the API."""
    return KeyView(
        name=name, source="tree" if document is None else "api", team=key.team, scopes=list(key.scopes),
        agents=list(key.agents), tools=list(key.tools), profile=key.profile, description=key.description,
        expires_at=key.expires_at, expired=key.expires_at is not None and seconds_of(key.expires_at) <= now,
        previous_until=key.previous.until if key.previous else None,
        created_at=document.created_at if document else None, created_by=document.created_by if document else None,
        updated_at=document.at if document else None, updated_by=document.by if document else None,
        revision=document.revision if document else None,
    )  # fmt: skip


def made(view: KeyView, secret: str) -> MadeKey:
    """The key as its maker sees it once."""
    return MadeKey(key=secret, **{name: getattr(view, name) for name in view.__struct_fields__})


def defaults(principal: Principal) -> dict[str, str]:
    """What a new key has of its maker."""
    return {"team": principal.team} | ({"profile": principal.profile} if principal.profile else {})
