"""What people let the gateway do at one MCP server, and where that is kept: in the vault, bound to the server.

Everything that is kept says which server URL and which identity of the gateway it is for. When a manifest changes one
of them, nothing that was granted before is found any more, so no token is sent where it was not meant for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from headgate.core.vault import Kept, Vault
from headgate.mcp.auth_user import OAuth2User
from headgate.mcp.spec import ServerSpec
from headgate.net.oauth import basic

GRANT, CLIENT, LISTING, FLOW = "grant", "client", "listing", "flow"
"""What is kept: what a person granted, as whom the gateway is registered, what the server lists, what is on its way."""
_METHODS = {"post": "client_secret_post", "basic": "client_secret_basic", "none": "none"}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where tokens come from, and as whom the gateway asks for them.

    `client_secret` is one that the gateway got when it registered itself; one of the manifest is not kept.
    `auth_method` is a `token_endpoint_auth_method` (RFC 7591 §2). `iss` says that answers must name the issuer
    (RFC 9207 §2.3). `registered` says that the gateway registered itself.
    """

    authorization_endpoint: str
    token_endpoint: str
    client_id: str
    callback: str
    scope: str | None = None
    resource: str | None = None
    issuer: str | None = None
    iss: bool = False
    revocation_endpoint: str | None = None
    client_secret: str | None = None
    auth_method: str | None = None
    registered: bool = False

    def __repr__(self) -> str:
        return f"Place({self.token_endpoint!r}, {self.client_id!r})"

    def signed(self, form: Mapping[str, str], secret: str | None) -> tuple[dict[str, str], dict[str, str]]:
        """The form with the gateway's id, and headers; `secret` is that of the manifest (RFC 6749 §2.3.1)."""
        secret = secret or self.client_secret
        whole = {**form, "client_id": self.client_id}
        if secret is None or self.auth_method == "none":
            return whole, {}
        if self.auth_method == "client_secret_basic":
            return dict(form), {"Authorization": basic(self.client_id, secret)}
        return {**whole, "client_secret": secret}, {}


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What one person granted. `wanted` are scopes that the server asked for since, besides those of `scope`."""

    id: str
    binding: str
    place: Place
    access_token: str
    granted_at: float
    refresh_token: str | None = None
    expires_at: float | None = None
    scope: str | None = None
    wanted: str | None = None

    def __repr__(self) -> str:
        return f"Grant({self.id!r})"

    def left(self, now: float) -> float | None:
        """Seconds that the access token lives on; None when nobody said."""
        return self.expires_at - now if self.expires_at is not None else None

    def renewed(self, answer: Mapping[str, Any], now: float) -> Grant:
        """The grant with what a token endpoint answered; what it left out stays (RFC 6749 §6)."""
        return msgspec.structs.replace(
            self, access_token=answer["access_token"], expires_at=end_of(answer, now),
            refresh_token=text_of(answer, "refresh_token") or self.refresh_token,
            scope=text_of(answer, "scope") or self.scope,
        )  # fmt: skip


def text_of(answer: Mapping[str, Any], name: str) -> str | None:
    """The member, if it is a text that is not empty."""
    found = answer.get(name)
    return found if isinstance(found, str) and found else None


def end_of(answer: Mapping[str, Any], now: float) -> float | None:
    """When the token ends, as the answer says; None where it says nothing of use."""
    try:
        seconds = float(answer["expires_in"])
    except (KeyError, TypeError, ValueError):
        return None
    return now + seconds if 0 < seconds < float("inf") else None


def binding_of(spec: ServerSpec) -> str:
    """What grants of the server are bound to: its URL, and as whom the gateway shows itself there."""
    own = spec.auth if isinstance(spec.auth, OAuth2User) else None
    identity = [own.client_id, own.metadata_url, own.issuer, sorted(own.scopes)] if own is not None else []
    return sha256(msgspec.json.encode(["v1", spec.url, identity])).hexdigest()


def method_of(spec: OAuth2User) -> str:
    """The `token_endpoint_auth_method` of a client that the manifest names."""
    return _METHODS[spec.auth_method or ("post" if spec.client_secret is not None else "none")]


class _Bound(msgspec.Struct, frozen=True):
    """Of what is kept, what says where it belongs."""

    binding: str = ""


_bound = msgspec.json.Decoder(_Bound).decode
T = TypeVar("T", bound=msgspec.Struct)


def belongs(text: str, spec: ServerSpec) -> bool:
    """Whether what is kept is for the server as it is now."""
    try:
        return _bound(text).binding == binding_of(spec)
    except msgspec.DecodeError:
        return False


@dataclass(frozen=True, slots=True)
class Held:
    """A grant as it was read."""

    grant: Grant
    revision: int


@dataclass(frozen=True, slots=True)
class Grants:
    """What is kept for the server `name`; `clock` gives epoch seconds."""

    vault: Vault
    name: str
    binding: str
    clock: Callable[[], float] = time.time

    async def read(self, account: str) -> Held | None:
        """What the account granted to the server as it is now."""
        kept = await self.vault.read(GRANT, account, self.name)
        grant = self._known(kept, Grant)
        return Held(grant, kept.revision) if grant is not None and kept is not None else None

    async def write(self, account: str, grant: Grant) -> None:
        """Keeps it, in the place of what the account granted before."""
        await self.vault.write(GRANT, account, self.name, _text(grant))

    async def change(self, account: str, held: Held, grant: Grant) -> bool:
        """Replaces the grant that was read; not one that was made or taken back meanwhile."""
        return await self.vault.change(GRANT, account, self.name, _text(grant), held.revision)

    async def take(self, account: str) -> Grant | None:
        """Forgets what the account granted, and returns it."""
        return self._known(await self.vault.take(GRANT, account, self.name), Grant)

    async def accounts(self) -> set[str]:
        """Who has granted something."""
        found = await self.vault.owners(GRANT, self.name)
        return {each for each in found if await self.read(each) is not None}

    async def recall(self, kind: str, of: type[T]) -> T | None:
        """What is kept of the server itself."""
        return self._known(await self.vault.read(kind, "", self.name), of)

    async def forget_client(self) -> None:
        """The authorization server does not know the gateway any more: it registers itself anew the next time."""
        await self.vault.take(CLIENT, "", self.name)

    async def keep(self, kind: str, what: msgspec.Struct) -> None:
        """Keeps something of the server itself."""
        await self.vault.write(kind, "", self.name, _text(what))

    def _known(self, kept: Kept | None, of: type[T]) -> T | None:
        if kept is None:
            return None
        try:
            found = msgspec.json.decode(kept.text, type=of)
        except msgspec.DecodeError:
            return None
        return found if getattr(found, "binding", None) == self.binding else None


def _text(what: msgspec.Struct) -> str:
    return msgspec.json.encode(what).decode()
