"""MCP servers through the API: made, changed, tried, connected anew and removed while the gateway runs."""

from __future__ import annotations

import time
from typing import Any

from litestar import Request, delete, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from headgate.core.context import Principal
from headgate.core.errors import Conflict
from headgate.core.messages import ErrorInfo
from headgate.engine import servers
from headgate.engine.amend import Change
from headgate.engine.probe import Tried, probe
from headgate.engine.servers import KIND, Declared
from headgate.mcp.listing import NOTHING
from headgate.server.edge import Edge
from headgate.server.errors import refusal
from headgate.server.mcp_server_views import (
    GoneServer,
    NewServer,
    ServerPatch,
    ServerTool,
    ServerView,
    TriedServer,
    server_view,
    tool_views,
    tried_view,
)
from headgate.server.native import native, read
from headgate.server.status import etag
from headgate.server.wire import answer

SCOPES = ("admin:mcp",)
_ALL = "/v1/admin/mcp-servers"
_PATH = f"{_ALL}/{{server_id:str}}"
_MORE = 2.0
ByKey = Request[Principal, Any, State]


@get(_ALL, **native("mcp servers", "List MCP servers", scopes=SCOPES, answers={200: list[ServerView]}))
async def list_servers(edge: NamedDependency[Edge]) -> ASGIResponse:
    """Those of the tree and those of the API, by name, without their secrets."""
    known = servers.declared(edge.snapshot).values()
    return answer([server_view(each) for each in known], headers={"etag": etag(edge)})


@post(
    _ALL,
    **native(
        "mcp servers", "Add an MCP server", scopes=SCOPES, body=NewServer, answers={200: ServerView}, errors=(409,)
    ),
)
async def create_server(request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """It is checked like one of the tree, kept, and connected; agents have its tools from now on."""
    body = await read(request, NewServer)
    servers.require_free(edge.snapshot, body.name)
    said = body.model_dump(exclude_unset=True)
    await servers.amend(edge.amender, servers.made(body.name, said, request.user.key, time.time()))
    made = servers.find(edge.snapshot, body.name)
    await _tell(edge, request, "created", made, fields=sorted(said))
    return answer(server_view(made), headers={"location": f"{_ALL}/{made.id}"})


@get(_PATH, **native("mcp servers", "One MCP server", scopes=SCOPES, answers={200: ServerView}, errors=(404,)))
async def get_server(server_id: FromPath[str], edge: NamedDependency[Edge]) -> ASGIResponse:
    """By its id, or by its name."""
    return answer(server_view(servers.find(edge.snapshot, server_id)), headers={"etag": etag(edge)})


@put(
    _PATH,
    **native(
        "mcp servers", "Change an MCP server", scopes=SCOPES, body=ServerPatch, answers={200: ServerView},
        errors=(404, 409, 412),
    ),
)  # fmt: skip
async def update_server(server_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """What is given replaces what was; the whole is checked. One that is not enabled any more is disconnected, and one
    that gets another name gives up its connection under the old one."""
    held = servers.own(edge.snapshot, server_id)
    said = (await read(request, ServerPatch)).model_dump(exclude_unset=True)
    change = servers.changed(held, said, request.user.key)
    if change.was is not None:
        servers.require_free(edge.snapshot, change.name)
    if change.was is not None or said.get("enabled") is False:
        await servers.withdraw(edge.amender, change)
    else:
        await servers.amend(edge.amender, change)
    now = servers.find(edge.snapshot, change.name)
    renamed = {"was": change.was} if change.was is not None else {}
    await _tell(edge, request, "updated", now, fields=sorted(said), **renamed)
    return answer(server_view(now))


@delete(
    _PATH, **native("mcp servers", "Remove an MCP server", scopes=SCOPES, answers={200: GoneServer}, errors=(404, 409))
)
async def delete_server(server_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Its tools are gone and its program has ended when this answers, also for runs in progress."""
    snapshot = edge.snapshot
    gone, held = servers.find(snapshot, server_id), servers.own(snapshot, server_id)
    await servers.withdraw(edge.amender, Change(KIND, held.name, None, request.user.key))
    await edge.tidy()
    await _tell(edge, request, "deleted", gone)
    return answer(GoneServer())


@post(
    f"{_PATH}/test",
    **native("mcp servers", "Try an MCP server", scopes=SCOPES, answers={200: TriedServer}, errors=(404,)),
)
async def test_server(server_id: FromPath[str], edge: NamedDependency[Edge]) -> ASGIResponse:
    """A connection of its own, which is closed again; the one in use is left alone. A failure is an answer, too."""
    found = servers.find(edge.snapshot, server_id)
    if found.fault:
        return answer(tried_view(found, Tried(NOTHING, ErrorInfo("config_error", found.fault))))
    return answer(tried_view(found, await probe(edge.reloader, found.name, found.spec)))


@post(
    f"{_PATH}/refresh",
    **native(
        "mcp servers", "Connect an MCP server anew", scopes=SCOPES, answers={200: ServerView},
        errors=(404, 409, 502, 504),
    ),
)  # fmt: skip
async def refresh_server(server_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Ends the connection, makes another and lists the tools; 502 or 504 says why that failed."""
    found = servers.find(edge.snapshot, server_id)
    if found.fault:
        raise Conflict(f"MCP server {found.name!r} is set aside: {found.fault}", code="mcp_server_set_aside")
    if found.live is None:
        raise Conflict(f"MCP server {found.name!r} is not enabled", code="mcp_server_disabled")
    error = await found.live.renew((found.spec.connection_timeout or 10.0) + _MORE)
    if error is not None:
        detail = f"MCP server {found.name!r} cannot be reached: {error.message}"
        return refusal(request.scope["path"], 504 if error.code == "timeout" else 502, error.code, detail)
    await edge.reloader.refold()
    return answer(server_view(servers.find(edge.snapshot, server_id)))


@get(
    f"{_PATH}/tools",
    **native(
        "mcp servers", "The tools of an MCP server", scopes=SCOPES, answers={200: list[ServerTool]}, errors=(404,)
    ),
)
async def server_tools(server_id: FromPath[str], edge: NamedDependency[Edge]) -> ASGIResponse:
    """What it offers now; nothing while it is not connected."""
    return answer(tool_views(servers.find(edge.snapshot, server_id)))


async def _tell(edge: Edge, request: ByKey, verb: str, server: Declared, **more: Any) -> None:
    """The audit log has names of what was given, never values."""
    details = {"name": server.name, "id": server.id, "transport": server.spec.kind, **more}
    await edge.host.auditor.tell(f"mcp_server.{verb}", request.user, details=details)
