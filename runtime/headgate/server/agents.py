"""The agents that a caller may see, and what each can really call."""

from __future__ import annotations

from typing import Any

from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from headgate.compile.plan import AgentPlan
from headgate.core.context import Principal
from headgate.server.auth import require_scope
from headgate.server.edge import Edge
from headgate.server.status import etag
from headgate.server.tools import shown
from headgate.server.wire import answer

READERS = ("agents:read", "chat")


@get("/v1/agents", guards=[require_scope], opt={"scopes": READERS}, tags=["agents"], summary="List agents")
async def list_agents(request: Request[Principal, Any, State], edge: NamedDependency[Edge]) -> ASGIResponse:
    """The agents that the key may see, by name."""
    plans = edge.snapshot.agents.values()
    visible = [_info(edge, plan, request.user) for plan in plans if request.user.sees_agent(plan.name)]
    return answer(visible, headers={"etag": etag(edge)})


@get("/v1/agents/{agent_id:str}", guards=[require_scope], opt={"scopes": READERS}, tags=["agents"], summary="One agent")
async def get_agent(
    agent_id: FromPath[str], request: Request[Principal, Any, State], edge: NamedDependency[Edge]
) -> ASGIResponse:
    """One agent; 404 when there is none that the key may see."""
    name = edge.snapshot.agent_for(request.user, agent_id)
    return answer(_info(edge, edge.snapshot.agents[name], request.user), headers={"etag": etag(edge)})


def _info(edge: Edge, plan: AgentPlan, principal: Principal) -> dict[str, Any]:
    spec, shaped = plan.spec, plan.shaped(principal, None, principal.profile)
    return {
        "id": plan.name,
        "description": spec.description,
        "display_name": spec.display_name or plan.name,
        "tags": list(spec.tags),
        "enabled": True,
        "default": plan.name == edge.snapshot.default_agent,
        "model": plan.choice.model,
        "models": list(plan.models),
        "demo": plan.choice.demo,
        "tools": list(shaped.tools),
        "tool_definitions": [shown(tool.definition) for tool in shaped.tools.values()],
        "mcp_servers": [
            {"name": each.name, "state": each.health.state, "required": each.required} for each in plan.servers
        ],
        "input_schema": spec.input,
        "channels": list(spec.channels),
        "profiles": list(spec.profiles),
        "max_turns": shaped.spec.max_turns,
        "timeout_s": shaped.spec.timeout,
        "budget_usd": shaped.spec.budget_usd,
        "budget_tokens": shaped.spec.budget_tokens,
        "context_file_count": len(spec.context),
    }
