"""What a type of authentication to MCP servers is: a spec, and how it becomes something that signs requests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx2

from headgate.core.kind import Env, Spec

S = TypeVar("S", bound=Spec)


@dataclass(frozen=True, slots=True)
class AuthEnv:
    """For whom requests are signed: the server's name and URL, and what any object may use to be opened."""

    server: str
    url: str
    env: Env


@dataclass(frozen=True, slots=True)
class AuthKind(Generic[S]):
    """One type; `open(spec, env)` yields the authentication of one connection. It is entered anew for every
    connection, and raises a `GatewayError` with the code `auth_error` when no credential can be had."""

    name: str
    spec: type[S]
    open: Callable[[S, AuthEnv], AbstractAsyncContextManager[httpx2.Auth]]
