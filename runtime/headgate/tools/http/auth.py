"""How a request is authorised: fixed headers and parameters, or a token that is fetched."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

import httpx2

from headgate.net.oauth import ClientCredentials, client_credentials
from headgate.net.tokens import TokenSource
from headgate.tools.http.draft import Draft
from headgate.tools.http.spec import ApiKey, Auth, Basic, Bearer


class Credentials(Protocol):
    """Signs requests."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown, beyond the references of the manifest."""
        ...

    async def sign(self, draft: Draft) -> Draft:
        """The draft with its authorisation; raises `ToolError("auth_error")`."""
        ...

    def reject(self) -> bool:
        """Tells that the server answered 401; whether it is worth while to sign anew."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """Credentials that never change."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    async def sign(self, draft: Draft) -> Draft:
        """The draft with the headers and parameters."""
        return draft.with_headers(self.headers).with_query(self.query)

    def reject(self) -> bool:
        """There is nothing else to try."""
        return False


class Granted:
    """A token that is fetched."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    @property
    def secrets(self) -> tuple[str, ...]:
        """The token that is in use."""
        return (self._source.current,)

    async def sign(self, draft: Draft) -> Draft:
        """The draft with a token that is good for now."""
        return draft.with_headers({"Authorization": f"Bearer {await self._source.token()}"})

    def reject(self) -> bool:
        """The token may have been revoked early: the next one is fetched, unless another call has just done so."""
        self._source.reject(self._source.current)
        return True


def make_credentials(auth: Auth | None, client: httpx2.AsyncClient) -> Credentials:
    """The credentials that a manifest asks for."""
    match auth:
        case Bearer():
            return Fixed({"Authorization": f"Bearer {auth.token}"}, secrets=(auth.token,))
        case Basic():
            pair = base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()
            return Fixed({"Authorization": f"Basic {pair}"}, secrets=(pair, auth.password))
        case ApiKey(header=str(header)):
            return Fixed({header: auth.key}, secrets=(auth.key,))
        case ApiKey(query=str(query)):
            return Fixed(query={query: auth.key}, secrets=(auth.key, quote(auth.key, safe="")))
        case ClientCredentials():
            return Granted(TokenSource(client_credentials(client, auth)))
    return Fixed()
