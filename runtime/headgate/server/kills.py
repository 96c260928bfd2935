"""Kill switches: one request stops an agent, a key, a team, a tool, a server of tools, or everything."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response.base import ASGIResponse
from pydantic import Field

from headgate.compile.switches import KillSwitch
from headgate.core.context import Principal
from headgate.core.errors import NotFound
from headgate.engine.kills import KIND, off, require_target, switch
from headgate.server.bodies import Body
from headgate.server.edge import Edge
from headgate.server.key_views import Name, Short
from headgate.server.native import native, read
from headgate.server.wire import answer

SCOPES = ("admin:kill_switches",)
READERS = (*SCOPES, "admin:status")
ByKey = Request[Principal, Any, State]
Kinds = Literal["agent", "key", "team", "tool", "server", "gateway"]


class Kill(Body):
    """Body of `POST /v1/admin/kill-switches`: what is stopped, and why. `target` is a name or a glob; the gateway needs
    none. `name` is what the switch is called, one is made without it."""

    kind: Kinds
    target: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    reason: Short
    name: Name | None = None


class KillView(msgspec.Struct, kw_only=True):
    """A switch that is on. `source` says where it is declared: one of the `tree` is taken away there."""

    name: str
    kind: str
    target: str
    reason: str
    source: Literal["tree", "api"]
    since: float | None
    by: str | None


class KillMade(KillView, kw_only=True):
    """A switch that has just been put on; `ended` is how many runs in progress it ends."""

    ended: int


class KillList(msgspec.Struct):
    """The switches that are on, by name."""

    items: list[KillView]


class Revived(msgspec.Struct):
    """A switch that is off."""

    name: str
    off: bool = True


@get("/v1/admin/kill-switches", **native("kill switches", "What is stopped", scopes=READERS, answers={200: KillList}))
async def list_kills(edge: NamedDependency[Edge]) -> ASGIResponse:
    """Every switch that is on."""
    return answer(KillList([kill_view(edge, name) for name in sorted(edge.snapshot.gateway.kill_switches)]))


@get(
    "/v1/admin/kill-switches/{switch_name:str}",
    **native("kill switches", "One kill switch", scopes=READERS, answers={200: KillView}, errors=(404,)),
)
async def get_kill(switch_name: FromPath[str], edge: NamedDependency[Edge]) -> ASGIResponse:
    """A switch that is on."""
    if switch_name not in edge.snapshot.gateway.kill_switches:
        raise NotFound(f"there is no kill switch {switch_name[:80]!r}", code="kill_switch_not_found")
    return answer(kill_view(edge, switch_name))


@post(
    "/v1/admin/kill-switches",
    **native("kill switches", "Stop something", scopes=SCOPES, body=Kill, answers={201: KillMade}, errors=(409,)),
)
async def kill(request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Runs of the target end with the outcome `revoked`, calls of it are cancelled, and nothing new of it begins, until
    the switch is deleted. It counts before it is kept, and outlives a restart."""
    body, host = await read(request, Kill), edge.host
    change = switch(body.kind, body.target, body.reason, by=request.user.key, name=body.name)
    held = KillSwitch.model_validate(change.body)
    require_target(edge.snapshot, held)
    before = sum(run.ending is None for run in host.runs.values())
    async with host.warden.ahead(held):
        ended = before - sum(run.ending is None for run in host.runs.values())
        await edge.amender.amend(change)
    details = {"name": change.name, "kind": body.kind, "target": held.target[1], "reason": body.reason, "ended": ended}
    await host.auditor.tell("kill.on", request.user, details=details)
    view = kill_view(edge, change.name)
    shown = KillMade(ended=ended, **{name: getattr(view, name) for name in view.__struct_fields__})
    return answer(shown, 201, {"location": f"/v1/admin/kill-switches/{change.name}"})


@delete(
    "/v1/admin/kill-switches/{switch_name:str}",
    **native("kill switches", "Let it go on", scopes=SCOPES, answers={200: Revived}, errors=(404, 409)),
)
async def revive(switch_name: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """New runs may begin again; what was ended stays ended."""
    await edge.amender.amend(off(edge.snapshot, switch_name, request.user.key))
    await edge.host.auditor.tell("kill.off", request.user, details={"name": switch_name})
    return answer(Revived(switch_name))


def kill_view(edge: Edge, name: str) -> KillView:
    """A switch that is on."""
    held = edge.snapshot.gateway.kill_switches[name]
    document = edge.snapshot.overlay.get(KIND, name)
    if document in edge.snapshot.hidden:
        document = None
    kind, target = held.target
    return KillView(
        name=name, kind=kind, target=target, reason=held.reason, source="tree" if document is None else "api",
        since=document.created_at if document else None, by=document.created_by if document else None,
    )  # fmt: skip
