"""Administration: reload the tree, read what is wrong with it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.response.base import ASGIResponse

from headgate.core.context import Principal
from headgate.manifest.diagnostics import Diagnostic, render_json
from headgate.server.auth import require_scope
from headgate.server.edge import Edge
from headgate.server.errors import problem
from headgate.server.status import etag
from headgate.server.wire import answer


@post(
    "/v1/admin/reload", status_code=200, guards=[require_scope], opt={"scopes": ("admin:reload",)}, tags=["admin"],
    summary="Compile the tree and make it live",
)  # fmt: skip
async def reload(request: Request[Principal, Any, State], edge: NamedDependency[Edge]) -> ASGIResponse:
    """`applied` or `unchanged`; 422 with every finding when the tree has errors, 412 when `If-Match` is stale."""
    done = await edge.reloader.reload(match=_wanted(request.headers.get("if-match")), by=request.user)
    body: dict[str, Any] = {
        "revision": done.revision,
        "generation": edge.snapshot.overlay.generation,
        "difference": asdict(done.difference),
        "diagnostics": _shown(edge, done.diagnostics),
    }
    if done.status == "rejected":
        detail = "the tree has errors; the revision before serves on"
        refused = problem(422, "invalid_tree", detail, state=done.status, **body)
        return answer(refused, 422, {"etag": etag(edge)})
    return answer({"status": done.status, **body}, headers={"etag": etag(edge)})


@get(
    "/v1/admin/diagnostics", guards=[require_scope], opt={"scopes": ("admin:diagnostics",)}, tags=["admin"],
    summary="Findings of the last attempt",
)  # fmt: skip
async def diagnostics(edge: NamedDependency[Edge]) -> ASGIResponse:
    """All findings in the tree as it was last read, whether it became live or not."""
    status = edge.status
    return answer({"revision": status.attempted, "diagnostics": _shown(edge, status.diagnostics)})


def _wanted(header: str | None) -> list[str] | None:
    """The revisions that `If-Match` names (RFC 9110 §13.1.1; weak tags never match), or None when any will do."""
    if header is None or header.strip() == "*":
        return None
    tags = [each.strip() for each in header.split(",")]
    return [tag[1:-1] for tag in tags if len(tag) > 1 and tag[0] == tag[-1] == '"']


def _shown(edge: Edge, found: tuple[Diagnostic, ...]) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = render_json("", found)["diagnostics"]
    scrub = edge.snapshot.scrub
    return [{**each, "message": scrub(each["message"]), "hint": scrub(each["hint"])} for each in shown]
