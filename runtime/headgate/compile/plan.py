"""What runs: one `AgentPlan` an agent, all plans of a revision in one immutable `Snapshot`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2

from headgate.compile.approvals import NO_POLICIES, Approvals
from headgate.compile.aside import Aside
from headgate.compile.overlay import NO_OVERLAY, Overlay, OverlayDocument
from headgate.compile.prompt import Prompt
from headgate.compile.resources import HTTP, Resource
from headgate.compile.specs import Agent, Gateway, Profile
from headgate.compile.switches import Switches
from headgate.core.context import Principal
from headgate.core.errors import NotFound
from headgate.core.glob import ALL, matching
from headgate.core.messages import ToolResult
from headgate.core.ports import ModelCall, Tool, ToolDefinition, ToolNext, ToolServer
from headgate.manifest.diagnostics import Diagnostic

Violations = Callable[[dict[str, Any]], list[str]]


@dataclass(frozen=True, slots=True)
class BoundTool:
    """A tool as one snapshot offers it: its definition, its argument check, and its folded call.

    A tool that the caller's front end executes has `receive`, which makes a result of what that posts. Its `call`
    raises `Deferred` until the context's `passage` has that result; `timeout` is how long the front end has, and how
    long each of the two ways through the interceptors may take.
    """

    definition: ToolDefinition
    violations: Violations
    call: ToolNext
    timeout: float
    receive: Callable[[Any], ToolResult] | None = None


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model that an agent may use: the folded stream, and the provider's id of the model."""

    model: str
    stream: ModelCall
    demo: bool


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """One agent, folded and ready to run.

    `models` are the names that a request may ask for, `default` among them under the name of `choice.model`.
    `approvals` says which calls are held or refused; the model is not told. `servers` are the MCP servers that it has.
    """

    name: str
    spec: Agent
    prompt: Prompt
    choice: ModelChoice
    models: Mapping[str, ModelChoice]
    tools: Mapping[str, BoundTool]
    input_violations: Violations | None = None
    approvals: Approvals = NO_POLICIES
    servers: tuple[ToolServer, ...] = ()

    @property
    def down(self) -> tuple[ToolServer, ...]:
        """The MCP servers of the agent that cannot be reached now; one that is just restarted is not among them."""
        return tuple(each for each in self.servers if each.health.state in ("starting", "down"))

    def without(self, servers: Collection[str]) -> AgentPlan:
        """The plan without the tools of these servers."""
        if not servers:
            return self
        kept = {name: tool for name, tool in self.tools.items() if tool.definition.server not in servers}
        return replace(self, tools=kept)

    @property
    def definitions(self) -> tuple[ToolDefinition, ...]:
        """What the model is told about the tools."""
        return tuple(tool.definition for tool in self.tools.values())

    def shaped(self, principal: Principal, channel: str | None, profile: str | None) -> AgentPlan:
        """The plan as this caller gets it: fewer tools, a longer prompt, stricter limits and policies.

        The profile of the caller's key applies in any case; one that the request names comes on top of it.
        """
        if principal.tools == ALL and not (channel or profile or principal.profile):
            return self
        named = [name for name in dict.fromkeys((principal.profile, profile)) if name is not None]
        profiles = [self.spec.profiles[name] for name in named if name in self.spec.profiles]
        own = self.spec.channels.get(channel or "")
        applied = [*([own] if own else []), *profiles]
        denied = {name for shape in applied for name in matching(shape.tools_deny, self.tools)}
        denied |= {name for name in self.tools if not principal.sees_tool(name)}
        if not applied and not denied:
            return self
        plan = replace(
            self,
            tools={name: tool for name, tool in self.tools.items() if name not in denied},
            prompt=self.prompt.extended([shape.append for shape in applied if shape.append]),
        )
        if not profiles:
            return plan
        return replace(plan, spec=_tightened(plan.spec, profiles), approvals=self.approvals.under(named))


def _tightened(spec: Agent, profiles: list[Profile]) -> Agent:
    limits = {}
    for name in ("max_turns", "timeout", "budget_usd", "budget_tokens"):
        values = [value for each in (spec, *profiles) if (value := getattr(each, name)) is not None]
        limits[name] = min(values, default=None)
    return spec.model_copy(update=limits)


class Models(Mapping[str, ModelChoice]):
    """The models that a request may ask for: those that have a name, and whatever the globs of an allow list cover."""

    def __init__(self, named: Mapping[str, ModelChoice], covered: Callable[[str], ModelChoice | None]) -> None:
        self._named = dict(named)
        self._covered = covered

    def __getitem__(self, name: str) -> ModelChoice:
        choice = self._named.get(name) or self._covered(name)
        if choice is None:
            raise KeyError(name)
        return choice

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)


@dataclass(eq=False, slots=True)
class Snapshot:
    """Everything compiled from one revision and one generation of the overlay. All but the lease count is immutable.

    A run leases the snapshot it started on; a retired snapshot lets its resources go when the last lease returns.
    """

    revision: str
    gateway: Gateway
    agents: Mapping[str, AgentPlan]
    principals: Mapping[str, Principal]
    resources: tuple[Resource, ...]
    demo: bool
    warnings: tuple[Diagnostic, ...] = ()
    scrub: Callable[[str], str] = str
    secrets_digest: str = ""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    bound: Mapping[str, tuple[Tool, BoundTool]] = field(default_factory=dict)
    outside: frozenset[Path] = frozenset()
    servers: Mapping[str, ToolServer] = field(default_factory=dict)
    tools: Mapping[str, ToolDefinition] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    listings: Mapping[str, int] = field(default_factory=dict)
    overlay: Overlay = NO_OVERLAY
    hidden: tuple[OverlayDocument, ...] = ()
    aside: tuple[Aside, ...] = ()
    leases: int = 0
    retired: bool = False
    _closed: bool = False
    _closing: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def tag(self) -> str:
        """What tells the configuration from every other: the tree's revision and the overlay's generation."""
        return f"{self.revision}.{self.overlay.generation}"

    @property
    def stamp(self) -> tuple[str, int, str]:
        """The same with the secrets, as `Compiled.stamp`."""
        return self.revision, self.overlay.generation, self.secrets_digest

    @property
    def http(self) -> httpx2.AsyncClient:
        """The shared client behind the egress guard."""
        client: httpx2.AsyncClient = next(each.value for each in self.resources if each.identity == HTTP)
        return client

    def server_of(self, tool: str) -> str:
        """The server of the tool, also when the file of a tool gave it another name; "" when it has none. What is not
        there any more goes by its name."""
        definition = self.tools.get(tool)
        prefix, separator, _ = tool.partition("__")
        return (definition.server or "") if definition is not None else prefix if separator else ""

    @property
    def switches(self) -> Switches:
        """The kill switches."""
        return Switches(self.gateway.kill_switches)

    @property
    def default_agent(self) -> str | None:
        """The agent of callers that name none."""
        return self.gateway.default_agent or (next(iter(self.agents)) if len(self.agents) == 1 else None)

    def agent_for(self, principal: Principal, wanted: str | None) -> str:
        """The agent that a caller gets who asks for `wanted`, or for none; raises `NotFound`."""
        name = wanted or self.default_agent
        if name is None:
            raise NotFound("the tree has no default agent; name one", code="agent_not_found")
        if name not in self.agents or not principal.sees_agent(name):
            raise NotFound(f"there is no agent {name!r}", code="agent_not_found")
        return name

    @property
    def outdated(self) -> bool:
        """Whether MCP servers list other tools now than those that were folded."""
        return any(server.version != self.listings.get(name) for name, server in self.servers.items())

    @property
    def gone(self) -> bool:
        """Whether every resource that only this snapshot held is closed."""
        return self._closed and not self._closing

    def acquire(self) -> Snapshot:
        """One more run uses this snapshot."""
        self.leases += 1
        return self

    def release(self) -> None:
        """One run fewer; never waits, the closing goes on by itself."""
        self.leases -= 1
        self._close_if_free()

    def retire(self) -> None:
        """No new run will come; closes as soon as nobody uses it."""
        self.retired = True
        self._close_if_free()

    def _close_if_free(self) -> None:
        if self.retired and self.leases <= 0 and not self._closed:
            self._closed = True
            task = asyncio.create_task(self.close(), name=f"close snapshot {self.revision[:12]}")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Lets every resource go."""
        for resource in reversed(self.resources):
            await resource.release()

    async def closed(self) -> None:
        """Waits until everything that was let go is closed."""
        while self._closing:
            await asyncio.wait(tuple(self._closing))
