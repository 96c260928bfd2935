"""What the gateway says of itself: liveness, readiness, conditions."""

from __future__ import annotations

import time
from typing import Any

from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.response.base import ASGIResponse

from headgate import __version__
from headgate.compile.plan import Snapshot
from headgate.core.errors import StoreError
from headgate.core.ports import ToolServer
from headgate.engine.conditions import servers_ready
from headgate.server.auth import require_scope
from headgate.server.edge import Edge
from headgate.server.wire import answer

READERS = ("chat", "status:read", "admin:status")


@get("/health/live", tags=["health"], summary="Whether the process answers")
async def live() -> ASGIResponse:
    """Always 200 while the event loop turns."""
    return answer({"status": "ok"})


@get("/health/ready", tags=["health"], summary="Whether new runs are taken")
async def ready(edge: NamedDependency[Edge]) -> ASGIResponse:
    """200, or 503 while draining or without a store."""
    if edge.host.draining:
        return answer({"status": "draining"}, 503)
    try:
        await edge.host.ledger.ping()
    except StoreError as error:
        return answer({"status": "unavailable", "reason": error.code}, 503)
    return answer({"status": "ok"})


@get("/v1/status", guards=[require_scope], opt={"scopes": READERS}, tags=["status"], summary="Conditions and revision")
async def status(edge: NamedDependency[Edge]) -> ASGIResponse:
    """The live revision, what is wrong with the tree if anything is, and whether answers are scripted."""
    told = {"waiting": await _waiting(edge), "audit": await _audit_head(edge)}
    return answer(_status(edge) | told, headers={"etag": etag(edge)})


@get("/openapi.json", include_in_schema=False)
async def openapi(request: Request[Any, Any, State]) -> ASGIResponse:
    """The OpenAPI 3.1 document of all routes."""
    return answer(request.app.openapi_schema.to_schema())


def etag(edge: Edge) -> str:
    """The entity tag of the live configuration (RFC 9110 §8.8.3)."""
    return f'"{edge.snapshot.tag}"'


def overlay(snapshot: Snapshot) -> dict[str, Any]:
    """What the API has declared besides the tree: which documents, and whose; a `hidden` one has no effect, because the
    tree declares the same name, and one that is `set_aside` has none for the reason given."""
    aside = {each.document.path: each.reason for each in snapshot.aside}
    documents = [
        {
            "kind": each.kind, "name": each.name, "revision": each.revision, "updated_at": each.at,
            "updated_by": each.by, "hidden": each in snapshot.hidden,
            "set_aside": snapshot.scrub(aside[each.path]) if each.path in aside else None,
        }
        for each in snapshot.overlay.documents
    ]  # fmt: skip
    return {"generation": snapshot.overlay.generation, "documents": documents}


def _stopped(snapshot: Snapshot) -> list[dict[str, str]]:
    switches = snapshot.gateway.kill_switches
    targets = {name: each.target for name, each in switches.items()}
    return [
        {"name": name, "kind": kind, "target": target, "reason": switches[name].reason}
        for name, (kind, target) in sorted(targets.items())
    ]


async def _waiting(edge: Edge) -> int | None:
    """How many questions are open; None while the ledger does not answer, which must not hide the rest."""
    try:
        return await edge.host.ledger.count_waits()
    except StoreError:
        return None


def _server(server: ToolServer) -> dict[str, Any]:
    """How an MCP server is; its error holds no secret."""
    health = server.health
    return {
        "name": server.name,
        "state": health.state,
        "since": health.since,
        "transport": health.transport,
        "protocol": health.protocol,
        "software": health.software,
        "tools": health.tools,
        "prompts": health.prompts,
        "resources": health.resources,
        "restarts": health.restarts,
        "pid": health.pid,
        "error": {"code": health.error.code, "message": health.error.message} if health.error else None,
        "problems": list(health.problems),
        "authorizations": health.authorizations,
    }


async def _audit_head(edge: Edge) -> str | None:
    """The newest record of the audit log, for those who keep it elsewhere; None while the ledger does not answer."""
    try:
        head = (await edge.host.ledger.audit_ends()).head
    except StoreError:
        return None
    return f"{head.n}:{head.hash}"


def _status(edge: Edge) -> dict[str, Any]:
    snapshot, status = edge.snapshot, edge.status
    servers = servers_ready(snapshot, edge.started)
    conditions = [*status.conditions.values(), *([servers] if servers else [])]
    degraded = status.degraded or (servers is not None and not servers.status)
    errors = sum(1 for each in status.diagnostics if each.severity == "error")
    return {
        "name": snapshot.gateway.name,
        "version": __version__,
        "revision": snapshot.revision,
        "attempted_revision": status.attempted,
        "status": "degraded" if degraded else "ok",
        "demo": snapshot.demo,
        "conditions": [{**condition.shown(), "message": snapshot.scrub(condition.message)} for condition in conditions],
        "errors": errors,
        "warnings": len(status.diagnostics) - errors,
        "agents": len(snapshot.agents),
        "default_agent": snapshot.default_agent,
        "mcp_servers": [_server(server) for _, server in sorted(snapshot.servers.items())],
        "runs": len(edge.host.runs),
        "uptime_s": round(time.time() - edge.started, 3),
        "overlay": overlay(snapshot),
        "kill_switches": _stopped(snapshot),
    }
