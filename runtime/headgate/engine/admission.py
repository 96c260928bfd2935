"""Whether an order may become a run, and as which plan."""

from __future__ import annotations

from typing import NamedTuple

from headgate.compile.plan import AgentPlan, ModelChoice, Snapshot
from headgate.compile.planned import BUILT_IN
from headgate.core.context import Principal
from headgate.core.errors import Conflict, Invalid, NotFound, Overloaded, Unavailable
from headgate.engine.run import Order, Run
from headgate.mcp.personal import Personal

SCOPE = "chat"
"""What a principal needs to have runs; `agents:invoke:NAME` is enough for those of one agent."""


class Admitted(NamedTuple):
    """An order that may become a run now: of this snapshot, as this plan, with this model."""

    snapshot: Snapshot
    plan: AgentPlan
    choice: ModelChoice


def admit(snapshot: Snapshot, key: str, running: int, own: int) -> None:
    """Raises `Unavailable` or `Overloaded` when one run more were too many; of those that are `running`, `own` are the
    key's."""
    limit = snapshot.gateway.server.limits.runs
    if running >= limit:
        raise Unavailable(f"{limit} runs are in progress already", code="too_many_runs", details={"retry_after": 1})
    limit = snapshot.gateway.limits.runs_per_key
    if own >= limit:
        raise Overloaded(
            f"key {key!r} has {limit} runs in progress already", code="too_many_runs", details={"retry_after": 1}
        )


def planned(snapshot: Snapshot, order: Order, *, reached: bool = False) -> tuple[AgentPlan, ModelChoice]:
    """The plan as this order gets it, and the model; raises `RequestError`. With `reached` it has no tools of MCP
    servers that are down now: a run that begins does not count on them."""
    plan = snapshot.agents.get(order.agent)
    if plan is None or not order.principal.sees_agent(order.agent):
        raise NotFound(f"there is no agent {order.agent!r}", code="agent_not_found")
    if order.profile is not None and order.profile not in plan.spec.profiles:
        raise Invalid(f"agent {order.agent!r} has no profile {order.profile!r}", code="invalid_profile")
    wrong = plan.input_violations(order.input) if plan.input_violations else []
    if wrong:
        raise Invalid("context.input does not match the agent's input", details={"errors": wrong})
    choice = plan.models.get(order.model) if order.model is not None else plan.choice
    if choice is None:
        raise Invalid(f"Invalid model: {order.model}", code="invalid_model")
    plan = plan.shaped(order.principal, order.channel, order.profile or order.principal.profile)
    return reachable(plan, order.principal) if reached else plan, choice


def reachable(plan: AgentPlan, principal: Principal) -> AgentPlan:
    """The plan without the tools of MCP servers that are down; raises `Unavailable` when it may not run without one,
    and `Conflict` when it may not run without one that the principal has to let the gateway use first."""
    down = plan.down
    for server in down:
        if server.required:
            error = server.health.error
            said = f"{error.code}: {error.message}" if error else "it has not been reached yet"
            raise Unavailable(
                f"agent {plan.name!r} needs MCP server {server.name!r}, which is down: {said}",
                code="mcp_server_down", details={"retry_after": 5, "server": server.name},
            )  # fmt: skip
    for server in plan.servers:
        if server.required and isinstance(server, Personal) and not server.serves(principal.account):
            raise Conflict(
                f"agent {plan.name!r} needs MCP server {server.name!r}, which is used with the caller's own account: "
                f"grant access with POST /v1/mcp/{server.name}/authorize",
                code="auth_required", details={"server": server.name},
            )  # fmt: skip
    return plan.without({each.name for each in down})


def still_may(live: Principal | None, principal: Principal, agent: str) -> bool:
    """Whether who the live revision knows under the principal's digest may still have its runs of the agent."""
    if live is None or live.key != principal.key or not live.sees_agent(agent):
        return False
    return live.allows(SCOPE) or live.allows(f"agents:invoke:{agent}")


def withdrawn(live: Snapshot, principal: Principal | None, run: Run, tool: str) -> str | None:
    """Why this snapshot does not let the run use the tool, or None."""
    plan = live.agents.get(run.plan.name)
    if plan is None or principal is None:
        return f"agent {run.plan.name!r} is no longer offered"
    shaped = plan.shaped(principal, run.order.channel, run.order.profile or principal.profile)
    offered = tool in shaped.tools or tool in BUILT_IN
    return None if offered else f"tool {tool!r} is no longer offered to agent {run.plan.name!r}"
