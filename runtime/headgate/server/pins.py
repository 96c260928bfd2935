"""Pins: tools of MCP servers that are not as they were approved, and their approval."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response.base import ASGIResponse
from pydantic import Field

from headgate.core.context import Principal
from headgate.core.errors import NotFound
from headgate.engine import pinning
from headgate.mcp.pins import Verdict, pins_of, set_digest
from headgate.mcp.upstream import Upstream
from headgate.server.bodies import Body
from headgate.server.edge import Edge
from headgate.server.native import native, read
from headgate.server.wire import answer

SCOPES = ("admin:pins",)
ByKey = Request[Principal, Any, State]


class Approve(Body):
    """Body of the approval: the digest of the set of tools that was looked at."""

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PinView(msgspec.Struct, kw_only=True):
    """One tool: how it stands to what was approved, whether it is offered, and what is other than approved."""

    tool: str
    state: Literal["approved", "changed", "new", "gone"]
    offered: bool
    diff: str


class PinnedServer(msgspec.Struct, kw_only=True):
    """A server with pins. `digest` is that of the set of tools that it lists now, `held` how many of them somebody has
    to look at. `source` says where the approval is kept."""

    server: str
    mode: Literal["off", "warn", "block"]
    digest: str
    held: int
    source: Literal["tree", "api", "none"]
    approved_at: float | None
    approved_by: str | None
    tools: list[PinView]


class PinList(msgspec.Struct):
    """The servers with pins whose tools are known, by name."""

    items: list[PinnedServer]


@get("/v1/admin/pins", **native("pins", "Tools that are not as approved", scopes=SCOPES, answers={200: PinList}))
async def list_pins(edge: NamedDependency[Edge]) -> ASGIResponse:
    """Every tool of the servers with pins, compared with what was approved."""
    servers = pinning.pinned(edge.snapshot)
    return answer(PinList([_view(edge, servers[name]) for name in sorted(servers)]))


@get(
    "/v1/admin/pins/{server_name:str}",
    **native("pins", "The pins of one server", scopes=SCOPES, answers={200: PinnedServer}, errors=(404,)),
)
async def get_pins(server_name: FromPath[str], edge: NamedDependency[Edge]) -> ASGIResponse:
    """Its tools, compared with what was approved."""
    return answer(_view(edge, _server(edge, server_name)))


@post(
    "/v1/admin/pins/{server_name:str}/approve",
    **native(
        "pins", "Approve what a server lists", scopes=SCOPES, body=Approve, answers={200: PinnedServer},
        errors=(404, 409),
    ),
)  # fmt: skip
async def approve_pins(server_name: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Approves all tools that the server lists now, if they are the set of the digest; what was held is offered."""
    body = await read(request, Approve)
    await pinning.approve(edge.amender, edge.snapshot, server_name, body.digest, request.user)
    edge.reloader.relisting.changed()  # the condition is another one now
    details = {"server": server_name, "digest": body.digest}
    await edge.host.auditor.tell("pins.approved", request.user, details=details)
    return answer(_view(edge, _server(edge, server_name)))


def _server(edge: Edge, name: str) -> Upstream:
    found = pinning.pinned(edge.snapshot).get(name)
    if found is None:
        raise NotFound(f"there is no MCP server {name[:80]!r} with pins whose tools are known", code="server_not_found")
    return found


def _view(edge: Edge, server: Upstream) -> PinnedServer:
    found = pinning.verdicts(edge.snapshot, server)
    document = edge.snapshot.overlay.get(pinning.KIND, server.name)
    hidden = document in edge.snapshot.hidden
    known = server.name in edge.snapshot.gateway.mcp.pins
    own = document if document is not None and not hidden else None
    return PinnedServer(
        server=server.name, mode=server.spec.pin, digest=set_digest(pins_of(server.name, server.listing)),
        held=sum(each.held for each in found), source="api" if own else "tree" if known else "none",
        approved_at=own.at if own else None, approved_by=own.by if own else None,
        tools=[_tool(each) for each in found],
    )  # fmt: skip


def _tool(verdict: Verdict) -> PinView:
    diff = verdict.diff if verdict.held else ""
    return PinView(tool=verdict.tool, state=verdict.state, offered=verdict.offered, diff=diff)
