"""How an MCP server is opened."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

import httpx2

from headgate.core.kind import Env, Kind
from headgate.mcp.auth import kind_of
from headgate.mcp.auth_kind import AuthEnv
from headgate.mcp.auth_user import OAuth2User
from headgate.mcp.checks import check
from headgate.mcp.murmur import Murmur
from headgate.mcp.owned import Owned
from headgate.mcp.personal import personal
from headgate.mcp.spec import ServerSpec
from headgate.mcp.upstream import Upstream
from headgate.mcp.wiring import Connect, Wiring

DRIVER = "headgate.mcp.link"
"""What speaks to servers, on the SDK; importing it takes most of a second."""


@contextlib.asynccontextmanager
async def open_server(spec: ServerSpec, env: Env) -> AsyncIterator[Upstream]:
    """The server, which is connected meanwhile: `warm` waits for that. Leaving closes the connection, and ends the
    program and its group where it has one."""
    driver: Any = await asyncio.to_thread(import_module, DRIVER)

    heard = Murmur(env.name, env.scrub)

    def connected(auth: httpx2.Auth | None) -> Connect:
        return lambda mode: driver.linked(spec, env, mode=mode, heard=heard, auth=auth)

    if isinstance(spec.auth, OAuth2User) and spec.url is not None:
        async with personal(spec, spec.auth, env, connected) as several:
            yield several
        return
    async with _signing(spec, env) as auth:
        owned = Owned(Upstream(env.name, spec, Wiring(connected(auth), env.changed, env.scrub)))
        try:
            yield owned.upstream
        finally:
            await owned.end()
            heard.flush()


@contextlib.asynccontextmanager
async def _signing(spec: ServerSpec, env: Env) -> AsyncIterator[httpx2.Auth | None]:
    """What signs the requests of all connections, so that a token outlives the connection it was fetched for."""
    if spec.auth is None or spec.url is None:
        yield None
        return
    opened = kind_of(spec.auth).open
    assert opened is not None
    async with opened(spec.auth, AuthEnv(env.name, spec.url, env)) as auth:
        yield auth


KIND: Kind[ServerSpec, Upstream] = Kind("mcp", "A server whose tools agents may call.", ServerSpec, open_server, check)
"""The registration of MCP servers."""
