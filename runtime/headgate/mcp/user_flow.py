"""Tokens that a person grants: the authorization code flow with PKCE as MCP describes it, on the SDK's client.

Discovery (RFC 9728, RFC 8414), registration or a client id that is a URL, the resource indicator (RFC 8707), the issuer
of an answer (RFC 9207), refreshing and more scopes on demand are the SDK's; this module has what is the gateway's own:
who is asked, where tokens are kept, and how a failure is told. It is imported when the first such server is opened.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

import httpx2
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.client.auth.exceptions import OAuthRegistrationError, OAuthTokenError
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl, ValidationError

from headgate.core.errors import ToolError

CLIENT_NAME = "Headgate"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the authorization server sent the person back with: a code, the state, and its issuer (RFC 9207)."""

    code: str
    state: str | None = None
    iss: str | None = None


class Person(Protocol):
    """Whoever can grant access."""

    async def send(self, url: str, /) -> None:
        """Gets them to the page where they grant it; raises `ToolError` when nobody is there."""
        ...

    async def answer(self) -> Answer:
        """What they came back with."""
        ...


class Kept(Protocol):
    """Where the tokens of one person for one server are kept, and what the authorization server knows the gateway by;
    both as JSON."""

    async def read(self, name: str, /) -> str | None:
        """What was written under the name, `tokens` or `client`."""
        ...

    async def write(self, name: str, text: str, /) -> None:
        """Keeps it."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """How the gateway shows itself to authorization servers: where people come back to, and by which id. Without an id
    it registers itself, or is known by the URL of its metadata where the server takes that."""

    callback: str
    client_id: str | None = None
    client_secret: str | None = None
    auth_method: str | None = None
    metadata_url: str | None = None
    scopes: tuple[str, ...] = ()


class UserAuth(httpx2.Auth):
    """Signs requests with what one person granted; asks them when they have not, or when more is needed."""

    requires_response_body = True

    def __init__(self, url: str, identity: Identity, person: Person, kept: Kept) -> None:
        async def answered() -> AuthorizationCodeResult:
            answer = await person.answer()
            return AuthorizationCodeResult(code=answer.code, state=answer.state, iss=answer.iss)

        self._provider = OAuthClientProvider(
            url, _metadata(identity), _Storage(kept, identity), person.send, answered, identity.metadata_url
        )

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Signs the request."""
        async with contextlib.aclosing(self._provider.async_auth_flow(request)) as flow:
            try:
                signed = await anext(flow)
                while True:
                    signed = await flow.asend((yield signed))
            except StopAsyncIteration:
                return
            except (OAuthFlowError, ValidationError) as error:
                raise ToolError("auth_error", _told(error)) from error


def _told(error: Exception) -> str:
    """The failure in our words; what the server said may hold anything."""
    match error:
        case OAuthTokenError():
            return "the authorization server did not issue a token"
        case OAuthRegistrationError():
            return "the authorization server did not register the gateway; give the server's auth a client_id"
        case OAuthFlowError():
            return f"the authorization failed: {str(error)[:200]}"
    return "the authorization server's answer is not what the protocol says"


def _metadata(identity: Identity) -> OAuthClientMetadata:
    return OAuthClientMetadata(
        client_name=CLIENT_NAME,
        redirect_uris=[AnyUrl(identity.callback)],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        scope=" ".join(identity.scopes) or None,
    )


class _Storage:
    """The SDK's view of what is kept."""

    def __init__(self, kept: Kept, identity: Identity) -> None:
        self._kept = kept
        self._identity = identity

    async def get_tokens(self) -> OAuthToken | None:
        text = await self._kept.read("tokens")
        return None if text is None else OAuthToken.model_validate_json(text)

    async def set_tokens(self, tokens: OAuthToken) -> None:
        await self._kept.write("tokens", tokens.model_dump_json(exclude_none=True))

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        own = self._identity
        if own.client_id is None:
            text = await self._kept.read("client")
            return None if text is None else OAuthClientInformationFull.model_validate_json(text)
        return OAuthClientInformationFull(
            client_id=own.client_id,
            client_secret=own.client_secret,
            redirect_uris=[AnyUrl(own.callback)],
            token_endpoint_auth_method=own.auth_method or ("client_secret_post" if own.client_secret else "none"),
        )

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        await self._kept.write("client", client_info.model_dump_json(exclude_none=True))
