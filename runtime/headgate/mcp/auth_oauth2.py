"""Tokens of the OAuth 2 client-credentials grant (RFC 6749 §4.4) for MCP servers: the gateway speaks for itself."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import httpx2

from headgate.mcp.auth_kind import AuthEnv, AuthKind, AuthSpec, TokenAuth
from headgate.net.oauth import ClientCredentials, client_credentials
from headgate.net.tokens import TokenSource


class OAuth2(ClientCredentials, AuthSpec):
    """A token that the gateway fetches by itself (RFC 6749 §4.4)."""


@contextlib.asynccontextmanager
async def open_oauth2(spec: OAuth2, env: AuthEnv) -> AsyncIterator[httpx2.Auth]:
    """The tokens."""
    yield TokenAuth(TokenSource(client_credentials(env.env.http, spec)))


OAUTH2: AuthKind[OAuth2] = AuthKind("oauth2_client_credentials", OAuth2, open_oauth2)
