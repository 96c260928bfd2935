"""Trying an MCP server: a connection of its own, beside the one in use, that is closed again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from headgate.compile.resources import HTTP
from headgate.core.errors import GatewayError
from headgate.core.kind import Env
from headgate.core.messages import ErrorInfo
from headgate.engine.overlays import custody_of
from headgate.engine.reload import Reloader
from headgate.mcp.faults import fault_of
from headgate.mcp.kind import open_server
from headgate.mcp.listing import NOTHING, Listing
from headgate.mcp.spec import ServerSpec
from headgate.mcp.upstream import Upstream
from headgate.net.client import make_client
from headgate.net.egress import Egress

_MORE = 1.0
"""Seconds beyond the time limit of a connection, in which that says why it was not made."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it: the listing, or the failure, without secrets."""

    listing: Listing
    error: ErrorInfo | None = None


async def probe(reloader: Reloader, name: str, spec: ServerSpec) -> Tried:
    """Connects to the server, lists what it offers, and leaves it; never raises a `GatewayError`."""
    limit = (spec.connection_timeout or 10.0) + _MORE
    try:
        async with open_server(spec, _env(reloader, name)) as upstream:
            error = await upstream.warm(limit) or _unauthorized(upstream)
            return Tried(NOTHING if error else upstream.listing, error)
    except GatewayError as error:
        fault = fault_of(error)
        return Tried(NOTHING, ErrorInfo(fault.code, reloader.live.scrub(fault.message), fault.retryable))


def _unauthorized(upstream: Upstream) -> ErrorInfo | None:
    """What a server that answers still wants, before its tools can be known."""
    if upstream.health.state != "unauthorized":
        return None
    return ErrorInfo("auth_error", "the server answers, and wants somebody to grant access to their account first")


def _env(reloader: Reloader, name: str) -> Env:
    snapshot, root = reloader.live, reloader.compiler.root
    http: Any = next(each.value for each in snapshot.resources if each.identity == HTTP)
    return Env(
        name=name,
        http=http,
        read=lambda path: (root / path).read_bytes(),
        environ=reloader.environ,
        scrub=snapshot.scrub,
        client=partial(make_client, Egress(snapshot.gateway.egress.allow)),
        root=root,
        vault=custody_of(reloader.overlays),
    )
