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
from headgate.mcp.checks import check
from headgate.mcp.murmur import Murmur
from headgate.mcp.spec import ServerSpec
from headgate.mcp.upstream import Upstream
from headgate.mcp.wiring import Wiring

DRIVER = "headgate.mcp.link"
"""What speaks to servers, on the SDK; importing it takes most of a second."""

_AGAIN = 6.0


@contextlib.asynccontextmanager
async def open_server(spec: ServerSpec, env: Env) -> AsyncIterator[Upstream]:
    """The server, which is connected meanwhile: `warm` waits for that. Leaving closes the connection, and ends the
    program and its group where it has one."""
    driver: Any = await asyncio.to_thread(import_module, DRIVER)

    heard = Murmur(env.name, env.scrub)
    async with _signing(spec, env) as auth:

        def connect(mode: str) -> Any:
            return driver.linked(spec, env, mode=mode, heard=heard, auth=auth)

        upstream = Upstream(env.name, spec, Wiring(connect, env.changed, env.scrub))
        owner = asyncio.create_task(upstream.keep(), name=f"owner of MCP server {env.name}")
        try:
            yield upstream
        finally:
            upstream.closing = True
            while not owner.done():
                # Again if need be: a cancellation that comes together with one of the SDK's own may be lost in it.
                owner.cancel()
                await asyncio.wait([owner], timeout=_AGAIN)
            heard.flush()
            async with upstream.moved:  # calls that wait for the next connection wait in vain
                upstream.moved.notify_all()


@contextlib.asynccontextmanager
async def _signing(spec: ServerSpec, env: Env) -> AsyncIterator[httpx2.Auth | None]:
    """What signs the requests of all connections, so that a token outlives the connection it was fetched for."""
    if spec.auth is None or spec.url is None:
        yield None
        return
    async with kind_of(spec.auth).open(spec.auth, AuthEnv(env.name, spec.url, env)) as auth:
        yield auth


KIND: Kind[ServerSpec, Upstream] = Kind("mcp", "A server whose tools agents may call.", ServerSpec, open_server, check)
"""The registration of MCP servers."""
