"""What the tests of MCP servers share: the fake as a table of a manifest, and servers opened without a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

from headgate.core.errors import ToolError
from headgate.core.kind import Env
from headgate.mcp.asking import Asking
from headgate.mcp.kind import open_server
from headgate.mcp.spec import Mcp, ServerSpec
from headgate.mcp.upstream import Upstream
from headgate.net.client import make_client, open_client
from headgate.net.egress import Egress
from headgate.testing import mcp_stdio
from headgate.testing.tool_kit import Listener
from headgate.tools.mcp.results import result_of

FAKE = str(Path(mcp_stdio.__file__).resolve())
LOOPBACK = Egress(["127.0.0.1"])
HANGING = 60.0
"""Seconds after its deadline at which a call that hangs fails its test."""


def table(name: str, *flags: str, **more: str) -> str:
    """`[mcp.servers.NAME]` for the fake over stdio; what is in `more` is written as TOML."""
    keys = "".join(f"{key} = {value}\n" for key, value in more.items())
    args = ", ".join(f"'{each}'" for each in (FAKE, *flags))
    return f"[mcp.servers.{name}]\ncommand = '{sys.executable}'\nargs = [{args}]\n{keys}"


def local(*flags: str, **keys: Any) -> ServerSpec:
    """The fake over stdio."""
    return _whole({"command": sys.executable, "args": [FAKE, *flags], **keys})


def remote(url: str, **keys: Any) -> ServerSpec:
    """A server at a URL."""
    return _whole({"url": url, **keys})


def _whole(body: dict[str, Any]) -> ServerSpec:
    return Mcp().effective(ServerSpec.model_validate(body))


@contextlib.asynccontextmanager
async def opened(
    spec: ServerSpec, *, changed: Callable[[], None] = lambda: None, root: Path = Path(), egress: Egress = LOOPBACK,
    scrub: Callable[[str], str] = str,
) -> AsyncIterator[Upstream]:  # fmt: skip
    """The server `fake`, connected meanwhile."""
    async with open_client(egress) as http:
        env = Env(
            "fake", http, lambda path: path.encode(), environ=dict(os.environ), root=root, changed=changed, scrub=scrub,
            client=partial(make_client, egress),
        )  # fmt: skip
        async with open_server(spec, env) as upstream:
            yield upstream


@contextlib.asynccontextmanager
async def ready(spec: ServerSpec, **options: Any) -> AsyncIterator[Upstream]:
    """The server, once its tools are known."""
    async with opened(spec, **options) as upstream:
        fault = await upstream.warm(60)
        assert fault is None, fault
        yield upstream


async def said(upstream: Upstream, tool: str, timeout: float = 20.0, **args: Any) -> Any:
    """The payload of one call; raises `ToolError`."""
    asking = Asking(Listener().context(timeout).deadline, repeatable=tool == "echo")
    async with asyncio.timeout_at(asking.deadline + HANGING):
        return result_of(await upstream.call(tool, args, asking)).payload


async def refused(upstream: Upstream, tool: str, timeout: float = 20.0, **args: Any) -> ToolError:
    """The failure of one call."""
    try:
        found = await said(upstream, tool, timeout, **args)
    except ToolError as error:
        return error
    raise AssertionError(f"{tool} answered {found!r}")


def descriptors() -> int:
    """Open descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))
