"""Tokens for a Google service account: a grant that its key signs (RFC 7523 §2.1), so that no library of Google's is
needed. The form is https://developers.google.com/identity/protocols/oauth2/service-account."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import httpx2
import jwt
import msgspec
from jwt.algorithms import RSAAlgorithm
from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from headgate.core.scalars import Secret
from headgate.mcp.auth_kind import AuthEnv, AuthKind, AuthSpec, TokenAuth
from headgate.net.oauth import ask
from headgate.net.tokens import Fetch, Token, TokenSource

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE = 3600
"""Seconds for which an assertion is made out; Google takes no longer ones."""
TOKEN_URI = "https://oauth2.googleapis.com/token"
_MEMBERS = ("client_email", "private_key")


@dataclass(frozen=True, slots=True)
class Account:
    """The key of a service account; `key` is a PEM."""

    email: str
    key: str = field(repr=False)
    key_id: str | None
    token_uri: str

    def assertion(self, scopes: tuple[str, ...], now: float) -> str:
        """The signed statement that is exchanged for a token; `now` in epoch seconds."""
        claims = {
            "iss": self.email,
            "scope": " ".join(scopes),
            "aud": self.token_uri,
            "iat": int(now),
            "exp": int(now) + LIFE,
        }
        return jwt.encode(claims, self.key, "RS256", headers={"kid": self.key_id} if self.key_id else None)


def read_account(text: str) -> Account:
    """The account in the JSON that Google issues; raises `ValueError` with a sentence, which shows nothing of it."""
    try:
        body = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise ValueError("is not JSON; it must be the whole content of the key file")
    if body.get("type") != "service_account":
        raise ValueError("is not the key of a service account: its 'type' is another")
    for name in _MEMBERS:
        if not isinstance(body.get(name), str):
            raise ValueError(f"is not the key of a service account: it has no {name!r}")
    try:
        RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(body["private_key"])
    except (ValueError, TypeError, jwt.InvalidKeyError):
        raise ValueError("has a 'private_key' that is no RSA key in PEM form") from None
    return Account(body["client_email"], body["private_key"], *map(_text(body), ("private_key_id", "token_uri")))


def _text(body: dict[str, Any]) -> Callable[[str], Any]:
    defaults = {"token_uri": TOKEN_URI}
    return lambda name: body[name] if isinstance(body.get(name), str) else defaults.get(name)


class GoogleServiceAccount(AuthSpec):
    """Tokens that a Google service account is issued."""

    type: Literal["google_service_account"]
    service_account_json: Secret
    """The content of the account's key file, as JSON."""
    scopes: Annotated[tuple[str, ...], Field(min_length=1)]
    """The scopes to ask for."""

    @field_validator("service_account_json")
    @classmethod
    def _usable(cls, value: str) -> str:
        try:
            read_account(value)
        except ValueError as error:
            raise PydanticCustomError("service_account", "{reason}", {"reason": str(error)}) from None
        return value


def granting(client: httpx2.AsyncClient, spec: GoogleServiceAccount, clock: Callable[[], float] = time.time) -> Fetch:
    """Asks for a token; `clock` gives epoch seconds."""
    account = read_account(spec.service_account_json)

    async def fetch() -> Token:
        form = {"grant_type": GRANT, "assertion": account.assertion(spec.scopes, clock())}
        return await ask(client, account.token_uri, form)

    return fetch


@contextlib.asynccontextmanager
async def open_google(spec: GoogleServiceAccount, env: AuthEnv) -> AsyncIterator[httpx2.Auth]:
    """The tokens."""
    yield TokenAuth(TokenSource(granting(env.env.http, spec)))


GOOGLE: AuthKind[GoogleServiceAccount] = AuthKind("google_service_account", GoogleServiceAccount, open_google)
