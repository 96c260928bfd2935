"""One interceptor as a snapshot applies it: to which agents and tools, under which condition, and how strictly."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from headgate.compile import applied_calls, applied_turns
from headgate.compile.plan import Violations
from headgate.compile.rulings import Case
from headgate.core.context import Action, Mode, RunContext, ToolContext
from headgate.core.errors import GatewayError
from headgate.core.glob import covers
from headgate.core.messages import ToolCall, ToolResult
from headgate.core.passage import Deferred, Pass
from headgate.core.ports import (
    Annotations,
    Interceptor,
    ModelCall,
    ModelEvent,
    ModelNext,
    ModelRequest,
    ToolDefinition,
    ToolNext,
)
from headgate.expressions.condition import Condition
from headgate.interceptors.texts import warned

_TURN = ToolDefinition("", "", {}, Annotations(read_only=True, destructive=False, idempotent=True, open_world=False))
"""What conditions see as `tool` when they are asked about a model turn."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The interceptor `name` of `gateway.toml`, or of a file of `gateway.d`; then it may be for one `team` alone."""

    name: str
    interceptor: Interceptor
    tools: tuple[str, ...]
    agents: tuple[str, ...]
    when: Condition | None
    mode: Mode
    team: str | None = None

    def for_agent(self, agent: str) -> bool:
        """Whether it is for this agent."""
        return any(covers(pattern, agent) for pattern in self.agents)

    def for_tool(self, tool: str) -> bool:
        """Whether it stands around calls of this tool."""
        return "tool" in self.interceptor.touches and any(covers(pattern, tool) for pattern in self.tools)

    @property
    def for_models(self) -> bool:
        """Whether it stands around model turns."""
        return "model" in self.interceptor.touches

    def around_tool(self, definition: ToolDefinition, inner: ToolNext, violations: Violations) -> ToolNext:
        """The call behind this interceptor; arguments that it changes are checked again."""

        async def call(wanted: ToolCall, ctx: ToolContext) -> ToolResult:
            case, before = _case(definition, wanted, ctx), ctx.passage.before(self.name)
            if before is not None and before.found and self.mode == "enforce":
                before = None  # it was only watched then, and found what it refuses now
            own = replace(ctx, case=case, resumed=before is not None, memo=dict(before.memo) if before else {})
            holds = self._holds(case) if before is None else before.applied
            way = applied_calls.Way(
                self.name, wanted, inner, violations, found=before.found if before else "", layer=self.team is not None
            )
            try:
                return await self._through(way, own) if holds else await way.unchanged(own)
            except Deferred as waiting:
                waiting.passes.append(Pass(self.name, holds, way.changed, way.found, own.memo))
                raise

        return call

    async def _through(self, way: applied_calls.Way, ctx: ToolContext) -> ToolResult:
        within = ctx.run_context
        say = partial(self._say, within)
        if self.mode == "enforce":
            return await applied_calls.enforced(self.interceptor, ctx, way, say)
        result = await applied_calls.watched(self.interceptor, ctx, within, way, say)
        return warned(result, f"{self.name}: {way.found}") if way.found and self.mode == "warn" else result

    def around_model(self, inner: ModelCall) -> ModelCall:
        """The turn behind this interceptor."""
        around = applied_turns.enforced if self.mode == "enforce" else applied_turns.watched

        def turn(ctx: RunContext, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
            if not self._holds(Case(_TURN, {}, ctx)):
                return inner(ctx, request)
            return around(self.interceptor, ctx, request, inner, partial(self._say, ctx))

        return turn

    def _holds(self, case: Case) -> bool:
        """Whether the interceptor applies; a condition that has no answer counts as one that is true."""
        return case.meets(self.team, self.when, failed=True)

    def _say(self, within: RunContext, action: Action, found: GatewayError) -> None:
        within.decide(self.name, action, found.code, found.message, mode=self.mode)


def _case(definition: ToolDefinition, call: ToolCall, ctx: ToolContext) -> Case:
    """The call as conditions see it: converted once for all, until an interceptor changes the arguments."""
    args, known = call.args or {}, ctx.case
    return known if isinstance(known, Case) and known.about(args) else Case(definition, args, ctx.run_context)


def model_chain(applied: Sequence[Applied], model: ModelCall) -> ModelCall:
    """`model` behind every interceptor, the first of them outermost."""
    for each in reversed(applied):
        model = each.around_model(model)
    return model


def tool_chain(
    applied: Sequence[Applied], definition: ToolDefinition, tool: ToolNext, violations: Violations
) -> ToolNext:
    """`tool` behind every interceptor, the first of them outermost."""
    for each in reversed(applied):
        tool = each.around_tool(definition, tool, violations)
    return tool


def plain(stream: ModelNext) -> ModelCall:
    """A model that knows nothing of who asks."""
    return lambda _ctx, request: stream(request)
