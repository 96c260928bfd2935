"""Credentials of MCP servers that never change: a bearer token, a key in a header."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Generator
from typing import Literal

import httpx2

from headgate.core.scalars import Secret
from headgate.mcp.auth_kind import AUTHORIZATION, AuthEnv, AuthKind, AuthSpec
from headgate.mcp.headers import HeaderName


class Bearer(AuthSpec):
    """A fixed token in the Authorization header (RFC 6750)."""

    type: Literal["bearer"]
    token: Secret
    """The token."""


class ApiKey(AuthSpec):
    """A key in a header."""

    type: Literal["api_key"]
    header: HeaderName = "X-API-Key"
    """The header that carries it."""
    key: Secret
    """The key."""

    @property
    def sets(self) -> str:
        """The header."""
        return self.header


class Header(httpx2.Auth):
    """Adds one header to every request."""

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._value = value

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Signs the request."""
        request.headers[self._name] = self._value
        yield request


@contextlib.asynccontextmanager
async def open_bearer(spec: Bearer, _env: AuthEnv) -> AsyncIterator[httpx2.Auth]:
    """The token."""
    yield Header(AUTHORIZATION, f"Bearer {spec.token}")


@contextlib.asynccontextmanager
async def open_api_key(spec: ApiKey, _env: AuthEnv) -> AsyncIterator[httpx2.Auth]:
    """The key."""
    yield Header(spec.header, spec.key)


BEARER: AuthKind[Bearer] = AuthKind("bearer", Bearer, open_bearer)
API_KEY: AuthKind[ApiKey] = AuthKind("api_key", ApiKey, open_api_key)
