"""Where a person can let the gateway use their account of an MCP server, as MCP's authorization describes it.

Discovery (RFC 9728, RFC 8414), the issuer that metadata must name, registration (RFC 7591) or a client id that is a
URL, the resource indicator (RFC 8707) and the choice of scopes are the SDK's. What people are asked, and what becomes
of the answer, is in `headgate.mcp.consent`. This module is imported when somebody first wants to be asked.
"""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx2
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.client.auth.exceptions import OAuthRegistrationError
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import AnyUrl, ValidationError

from headgate.core.errors import GatewayError, ToolError
from headgate.mcp.grants import Place
from headgate.net.client import exchange, read

CLIENT_NAME = "Headgate"
MAX_ANSWER = 1 << 20
"""Bytes of one answer during discovery."""
logging.getLogger("mcp.client.auth.oauth2").setLevel(logging.CRITICAL)
"""The SDK logs what goes wrong with all that foreign servers said; the gateway tells it in its own words."""
_FOUND = "headgate.found"
_NOBODY = b'{"jsonrpc":"2.0","id":0,"method":"ping"}'


@dataclass(frozen=True, slots=True)
class Identity:
    """How the gateway shows itself to authorization servers: where people come back to, and by which id. Without an id
    it registers itself, or is known by the URL of its metadata where the server takes that. `registered` is how it
    registered itself before, as JSON."""

    callback: str
    client_id: str | None = None
    auth_method: str | None = None
    metadata_url: str | None = None
    scopes: tuple[str, ...] = ()
    registered: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Where tokens come from, and how the gateway is registered there, as JSON, where that should be kept."""

    place: Place
    registered: str | None = None


async def discover(http: httpx2.AsyncClient, url: str, identity: Identity, timeout: float) -> Found:
    """Asks the server at the URL, and whoever it names, where people can grant access; raises a `GatewayError`.

    Nothing is sent that is secret but what registering takes. Every request is made with `http`, which has to be behind
    the egress guard: the servers that are named are anybody's choice.
    """
    known = _Known(identity)
    provider = _Discovery(url, _metadata(identity), known, client_metadata_url=identity.metadata_url)
    # Before any protocol is agreed on, the newest that has a handshake stands for what the server is likely to speak.
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": HANDSHAKE_PROTOCOL_VERSIONS[-1]}
    asked = httpx2.Request("POST", url, content=_NOBODY, headers={**headers, "content-type": "application/json"})
    try:
        async with contextlib.aclosing(provider.async_auth_flow(asked)) as flow:
            request = await anext(flow)
            while _FOUND not in request.extensions:
                response = await _answered(http, request, timeout)
                request = await flow.asend(_unauthorized(response) if request is asked else response)
    except StopAsyncIteration:
        raise ToolError("auth_error", "the server does not say where access is granted") from None
    except (OAuthFlowError, ValidationError) as error:
        raise ToolError("auth_error", _told(error)) from error
    return Found(_place(provider, identity), known.fresh)


async def _answered(http: httpx2.AsyncClient, request: httpx2.Request, timeout: float) -> httpx2.Response:
    sent = http.build_request(
        request.method, request.url, content=request.content, headers=request.headers, timeout=timeout
    )
    try:
        async with exchange(http, sent) as response:
            event = response.headers.get("content-type", "").startswith("text/event-stream")
            body = b"" if event else await read(response, MAX_ANSWER)
    except httpx2.HTTPError as error:
        host = urlsplit(str(request.url)).hostname
        raise ToolError("auth_error", f"{host} could not be reached, which says where access is granted") from error
    kept = [(name, value) for name, value in response.headers.items() if name not in ("content-encoding",)]
    answer = httpx2.Response(response.status_code, headers=kept, content=body, request=request)
    answer.next_request = response.next_request
    return answer


def _unauthorized(response: httpx2.Response) -> httpx2.Response:
    """The server's refusal. One that answers without a credential is taken to refuse, too: it may want one later."""
    if response.status_code == 401:
        return response
    return httpx2.Response(401, request=response.request)


def _told(error: Exception) -> str:
    """The failure in our words; what the server said may hold anything."""
    match error:
        case OAuthRegistrationError():
            return "the authorization server did not register the gateway; give the server's auth a client_id"
        case OAuthFlowError():
            return f"where access is granted could not be found out: {str(error)[:200]}"
    return "the authorization server's answer is not what the protocol says"


class _Discovery(OAuthClientProvider):
    """Goes as far as to where a person would be asked."""

    async def _perform_authorization(self) -> httpx2.Request:
        return httpx2.Request("GET", self.context.server_url, extensions={_FOUND: True})


class _Known:
    """The SDK's view of what is known of the gateway: never a token, so that it always looks for where to get one."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.fresh: str | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        raise GatewayError(f"a token of type {tokens.token_type} came unasked")

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        own = self._identity
        if own.client_id is not None:
            return OAuthClientInformationFull(
                client_id=own.client_id,
                redirect_uris=[AnyUrl(own.callback)],
                token_endpoint_auth_method=own.auth_method,
            )
        if own.registered is None:
            return None
        held = OAuthClientInformationFull.model_validate_json(own.registered)
        late = held.client_secret_expires_at and held.client_secret_expires_at <= time.time()
        return held if not late and AnyUrl(own.callback) in (held.redirect_uris or ()) else None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.fresh = client_info.model_dump_json(exclude_none=True)


def _metadata(identity: Identity) -> OAuthClientMetadata:
    local = urlsplit(identity.callback).hostname in ("127.0.0.1", "::1", "localhost")
    return OAuthClientMetadata(
        client_name=CLIENT_NAME,
        redirect_uris=[AnyUrl(identity.callback)],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        scope=" ".join(identity.scopes) or None,
        application_type="native" if local else "web",
    )


def _place(provider: OAuthClientProvider, identity: Identity) -> Place:
    """What was found; without metadata the endpoints are where MCP 2025-03-26 has them."""
    context = provider.context
    client, metadata = context.client_info, context.oauth_metadata
    base = context.get_authorization_base_url(context.server_url)
    assert client is not None
    if metadata is not None and "S256" not in (metadata.code_challenge_methods_supported or ()):
        raise ToolError("auth_error", "the authorization server does not say that it takes PKCE with S256")
    with_resource = context.should_include_resource_param(context.protocol_version)
    return Place(
        authorization_endpoint=str(metadata.authorization_endpoint) if metadata else urljoin(base, "/authorize"),
        token_endpoint=str(metadata.token_endpoint) if metadata else urljoin(base, "/token"),
        revocation_endpoint=_endpoint(metadata.revocation_endpoint) if metadata else None,
        issuer=str(metadata.issuer) if metadata else None,
        iss=bool(metadata and metadata.authorization_response_iss_parameter_supported),
        client_id=client.client_id,
        client_secret=client.client_secret,
        auth_method=client.token_endpoint_auth_method,
        registered=identity.client_id is None,
        callback=identity.callback,
        scope=" ".join(identity.scopes) or context.client_metadata.scope,
        resource=context.get_resource_url() if with_resource else None,
    )


def _endpoint(url: object) -> str | None:
    return str(url) if url is not None else None
