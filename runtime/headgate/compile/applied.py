"""One interceptor as a snapshot applies it: to which agents and tools, under which condition, and how strictly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from headgate.core.context import Action, Mode, RunContext, ToolContext
from headgate.core.errors import PolicyRefused
from headgate.core.glob import covers
from headgate.core.messages import ErrorInfo, Message, Text, ToolCall, ToolResult, Usage, failed
from headgate.core.ports import (
    Annotations,
    Interceptor,
    ModelCall,
    ModelEvent,
    ModelNext,
    ModelRequest,
    Restarted,
    TextChunk,
    ThinkingChunk,
    ToolDefinition,
    ToolNext,
    TurnDone,
)
from headgate.expressions.activation import Activation, Facts
from headgate.expressions.condition import Condition, ConditionError

_TURN = ToolDefinition("", "", {}, Annotations(read_only=True, destructive=False, idempotent=True, open_world=False))
"""What conditions see as `tool` when they are asked about a model turn."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The interceptor `name` of `gateway.toml`."""

    name: str
    interceptor: Interceptor
    tools: tuple[str, ...]
    agents: tuple[str, ...]
    when: Condition | None
    mode: Mode

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

    # -- calls -------------------------------------------------------------------------------------------------------

    def around_tool(self, definition: ToolDefinition, inner: ToolNext) -> ToolNext:
        """The call behind this interceptor."""

        async def call(wanted: ToolCall, ctx: ToolContext) -> ToolResult:
            within = ctx.within
            if within is None or not self._holds(definition, wanted.args or {}, within):
                return await inner(wanted, ctx)
            if self.mode == "enforce":
                return await self._enforced(wanted, ctx, within, inner)
            return await self._watched(wanted, ctx, within, inner)

        return call

    async def _enforced(self, call: ToolCall, ctx: ToolContext, within: RunContext, inner: ToolNext) -> ToolResult:
        try:
            return await self.interceptor.around_tool(ctx, call, inner)
        except PolicyRefused as refused:
            self._say(within, "deny", refused)
            return failed(refused.code, refused.message, status="denied", retryable=refused.retryable)

    async def _watched(self, call: ToolCall, ctx: ToolContext, within: RunContext, inner: ToolNext) -> ToolResult:
        """The call as it is, while the interceptor believes that it stands around it."""
        seen: list[ToolResult] = []
        changed = False

        async def as_it_is(wanted: ToolCall, _ctx: ToolContext) -> ToolResult:
            nonlocal changed
            changed = changed or wanted != call
            if not seen:
                seen.append(await inner(call, ctx))
            return seen[0]

        found: PolicyRefused | None = None
        try:
            result = await self.interceptor.around_tool(ctx, call, as_it_is)
            changed = changed or [result] != seen
        except PolicyRefused as refused:
            found = refused
            self._say(within, "deny", refused)
        if changed and found is None:
            found = PolicyRefused("it would have changed the call or its result", code="would_change")
            self._say(within, "change", found)
        result = seen[0] if seen else await inner(call, ctx)
        return _warned(result, self.name, found) if found is not None and self.mode == "warn" else result

    # -- turns -------------------------------------------------------------------------------------------------------

    def around_model(self, inner: ModelCall) -> ModelCall:
        """The turn behind this interceptor."""

        def turn(ctx: RunContext, request: ModelRequest) -> AsyncIterator[ModelEvent]:
            if not self._holds(_TURN, {}, ctx):
                return inner(ctx, request)
            return self._turn(ctx, request, inner) if self.mode == "enforce" else self._overheard(ctx, request, inner)

        return turn

    async def _turn(self, ctx: RunContext, request: ModelRequest, inner: ModelCall) -> AsyncIterator[ModelEvent]:
        made: list[TurnDone] = []
        told = False

        async def noted(wanted: ModelRequest) -> AsyncIterator[ModelEvent]:
            async with aclosing(cast("Any", inner(ctx, wanted))) as events:
                async for event in events:
                    if isinstance(event, TurnDone):
                        made.append(event)
                    yield event

        try:
            async with aclosing(cast("Any", self.interceptor.around_model(ctx, request, noted))) as events:
                async for event in events:
                    told = not isinstance(event, Restarted) and (told or isinstance(event, TextChunk | ThinkingChunk))
                    yield event
        except PolicyRefused as refused:
            self._say(ctx, "deny", refused)
            if told:
                yield Restarted(1, ErrorInfo(refused.code, refused.message), 0.0, request.model)
            yield TextChunk(refused.message)
            yield _replacement(refused, request, made)

    async def _overheard(self, ctx: RunContext, request: ModelRequest, inner: ModelCall) -> AsyncIterator[ModelEvent]:
        """The turn as it is; when it is whole the interceptor is shown it, as if it stood around it."""
        heard: list[ModelEvent] = []
        async with aclosing(cast("Any", inner(ctx, request))) as events:
            async for event in events:
                heard = [] if isinstance(event, Restarted) else [*heard, event]
                if isinstance(event, TurnDone):
                    await self._review(ctx, request, heard, event)
                yield event

    async def _review(
        self, ctx: RunContext, request: ModelRequest, heard: Sequence[ModelEvent], done: TurnDone
    ) -> None:
        async def again(_request: ModelRequest) -> AsyncIterator[ModelEvent]:
            for event in heard:
                yield event

        last: ModelEvent | None = None
        try:
            async for event in self.interceptor.around_model(ctx, request, again):
                last = event
        except PolicyRefused as refused:
            self._say(ctx, "deny", refused)
            return
        if last != done:
            self._say(ctx, "change", PolicyRefused("it would have changed the answer", code="would_change"))

    # -- both --------------------------------------------------------------------------------------------------------

    def _holds(self, tool: ToolDefinition, args: dict[str, Any], within: RunContext) -> bool:
        """Whether the interceptor applies; a condition that has no answer counts as one that is true."""
        if self.when is None:
            return True
        facts = Facts(
            tool=tool, args=args, agent=within.agent, session=within.session, now=datetime.now(UTC), turn=within.turn,
            cost_usd=within.cost, depth=within.depth, tainted=within.tainted,
        )  # fmt: skip
        try:
            return self.when.holds(Activation.of(facts))
        except ConditionError:
            return True

    def _say(self, within: RunContext, action: Action, refused: PolicyRefused) -> None:
        within.decide(self.name, action, refused.code, refused.message, mode=self.mode)


def _replacement(refused: PolicyRefused, request: ModelRequest, made: Sequence[TurnDone]) -> TurnDone:
    """A whole turn that says why there is no other; what the refused one took is paid for."""
    message = Message("assistant", (Text(refused.message),))
    if made:
        return msgspec.structs.replace(made[-1], message=message, stop="end", cut=False, replaced=True)
    return TurnDone(message, Usage(), "end", request.model, replaced=True)


def _warned(result: ToolResult, name: str, found: PolicyRefused) -> ToolResult:
    """The result with a warning that the model reads."""
    said = f"{name}: {found.message}"
    if isinstance(result.structured, dict):
        held = [*result.structured.get("_warnings", ()), said]
        return msgspec.structs.replace(result, structured={**result.structured, "_warnings": held})
    if result.structured is None and result.error is None:
        return msgspec.structs.replace(result, content=(*result.content, Text(f"\n[warning: {said}]")))
    return result


def model_chain(applied: Sequence[Applied], model: ModelCall) -> ModelCall:
    """`model` behind every interceptor, the first of them outermost."""
    for each in reversed(applied):
        model = each.around_model(model)
    return model


def tool_chain(applied: Sequence[Applied], definition: ToolDefinition, tool: ToolNext) -> ToolNext:
    """`tool` behind every interceptor, the first of them outermost."""
    for each in reversed(applied):
        tool = each.around_tool(definition, tool)
    return tool


def plain(stream: ModelNext) -> ModelCall:
    """A model that knows nothing of who asks."""
    return lambda _ctx, request: stream(request)
