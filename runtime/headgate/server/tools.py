"""Every tool of the gateway that a caller may use, and where it comes from."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from headgate.compile.plan import Snapshot
from headgate.core.context import Principal
from headgate.core.errors import NotFound
from headgate.core.ports import ToolDefinition
from headgate.mcp.personal import Personal
from headgate.server.edge import Edge
from headgate.server.native import native
from headgate.server.status import etag
from headgate.server.wire import answer

READERS = ("agents:read", "chat")


class ToolView(msgspec.Struct):
    """A tool: `source` is the path of its file, or `mcp/SERVER`; `agents` are those that the key may see with it.

    `parameters` is another name of `input_schema`, a JSON Schema. `annotations` are those of MCP 2025-11-25.
    `authorization` says of a tool that is called with the key's own account whether that is `granted` or `missing`.
    """

    name: str
    description: str
    kind: str
    server: str | None
    input_schema: dict[str, Any]
    parameters: dict[str, Any]
    annotations: dict[str, bool]
    source: str
    agents: list[str]
    authorization: Literal["granted", "missing"] | None


@get("/v1/tools", **native("tools", "List tools", scopes=READERS, answers={200: list[ToolView]}))
async def list_tools(request: Request[Principal, Any, State], edge: NamedDependency[Edge]) -> ASGIResponse:
    """The tools that agents which the key may see can call for it, by name."""
    snapshot = edge.snapshot
    visible = [view(snapshot, request.user, name) for name in sorted(_visible(snapshot, request.user))]
    return answer(visible, headers={"etag": etag(edge)})


@get("/v1/tools/{name:str}", **native("tools", "One tool", scopes=READERS, answers={200: ToolView}))
async def get_tool(
    name: FromPath[str], request: Request[Principal, Any, State], edge: NamedDependency[Edge]
) -> ASGIResponse:
    """One tool; 404 when there is none that the key may see."""
    if name not in _visible(edge.snapshot, request.user):
        raise NotFound(f"there is no tool {name!r}", code="tool_not_found")
    return answer(view(edge.snapshot, request.user, name), headers={"etag": etag(edge)})


def _visible(snapshot: Snapshot, principal: Principal) -> set[str]:
    """Tools of agents that the key may see, and for keys that administer, all that there are."""
    if principal.allows("admin:tools"):
        return {name for name in snapshot.tools if principal.sees_tool(name)}
    agents = [plan for plan in snapshot.agents.values() if principal.sees_agent(plan.name)]
    return {name for plan in agents for name in plan.tools if principal.sees_tool(name)}


def view(snapshot: Snapshot, principal: Principal, name: str) -> dict[str, Any]:
    """The form of a tool: `source` is the path of its file, or `mcp/SERVER`, and `agents` are those with it."""
    definition = snapshot.tools[name]
    own = [plan.name for plan in snapshot.agents.values() if name in plan.tools and principal.sees_agent(plan.name)]
    server = snapshot.servers.get(definition.server or "")
    state = None
    if isinstance(server, Personal):
        state = "granted" if server.serves(principal.account) else "missing"
    return {**shown(definition), "source": snapshot.sources[name], "agents": sorted(own), "authorization": state}


def shown(definition: ToolDefinition) -> dict[str, Any]:
    """What is told of a definition."""
    marks = definition.annotations
    return {
        "name": definition.name,
        "description": definition.description,
        "kind": definition.kind,
        "server": definition.server,
        "input_schema": definition.input_schema,
        "parameters": definition.input_schema,
        "annotations": {
            "read_only": marks.read_only,
            "destructive": marks.destructive,
            "idempotent": marks.idempotent,
            "open_world": marks.open_world,
        },
    }
