"""What a type of authentication to MCP servers is: a spec, and how it becomes something that signs requests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import httpx2

from headgate.core.errors import GatewayError
from headgate.core.kind import Env, Finding, Spec

AUTHORIZATION = "Authorization"


class AuthSpec(Spec):
    """How requests to a server are authenticated."""

    @property
    def sets(self) -> str:
        """The header that carries the credential."""
        return AUTHORIZATION

    @property
    def program(self) -> str | None:
        """The program that is run for a credential."""
        return None


S = TypeVar("S", bound=AuthSpec)


@dataclass(frozen=True, slots=True)
class AuthEnv:
    """For whom requests are signed: the server's name and URL, and what any object may use to be opened."""

    server: str
    url: str
    env: Env


def _fine(_spec: Any) -> Iterable[Finding]:
    return ()


@dataclass(frozen=True, slots=True)
class AuthKind(Generic[S]):
    """One type; `open(spec, env)` yields what signs the requests of all connections to one server.

    It is entered once, before the first connection, and does no I/O. What it yields raises a `GatewayError` with the
    code `auth_error` when no credential can be had. Without `open` everybody who calls has a credential of their own,
    and connections for it: see `headgate.mcp.personal`. `check(spec)` finds what the spec's own types cannot.
    """

    name: str
    spec: type[S]
    open: Callable[[S, AuthEnv], AbstractAsyncContextManager[httpx2.Auth]] | None
    check: Callable[[S], Iterable[Finding]] = _fine


REFUSAL = "headgate.refusal"
"""The extension of a request that must not leave, because there is no credential for it: the failure."""


class Refusing(httpx2.Auth):
    """Lets `inner` sign. Where that fails, the request goes on with the failure as its extension `REFUSAL`, so that the
    transport can answer it: what is raised while the SDK sends a request would end all others of the connection."""

    def __init__(self, inner: httpx2.Auth) -> None:
        self._inner = inner
        self.requires_response_body = inner.requires_response_body

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Signs the request."""
        async with contextlib.aclosing(self._inner.async_auth_flow(request)) as flow:
            try:
                signed = await anext(flow)
                while True:
                    signed = await flow.asend((yield signed))
            except StopAsyncIteration:
                return
            except GatewayError as error:
                request.extensions = {**request.extensions, REFUSAL: error}
        yield request


class Tokens(Protocol):
    """Where tokens come from: a `TokenSource`, or what one person granted."""

    async def token(self) -> str:
        """A token that is good for now; raises a `GatewayError`."""
        ...

    def reject(self, token: str, /) -> bool:
        """See `TokenSource.reject`."""
        ...


class TokenAuth(httpx2.Auth):
    """Signs requests with the tokens of a source; a request that is answered 401 is sent again with another token."""

    def __init__(self, source: Tokens) -> None:
        self._source = source

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Signs the request."""
        token = await self._source.token()
        request.headers[AUTHORIZATION] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401 and self._source.reject(token):
            request.headers[AUTHORIZATION] = f"Bearer {await self._source.token()}"
            response = yield request
        self.heard(response)

    def heard(self, _response: httpx2.Response) -> None:
        """The last answer to the request, for who wants to know more of it."""
