"""One interceptor around one tool call: enforced, or watched, when nothing comes of what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from headgate.compile.plan import Violations
from headgate.core.context import Action, RunContext, ToolContext
from headgate.core.errors import GatewayError, PolicyRefused
from headgate.core.messages import ErrorInfo, ToolCall, ToolResult
from headgate.core.ports import Interceptor, ToolNext

Say = Callable[[Action, GatewayError], None]
"""How a decision is told and counted."""

CHANGED = PolicyRefused("it changed the call or its result", code="changed")
WOULD_CHANGE = PolicyRefused("it would have changed the call or its result", code="would_change")


class Way:
    """One call through the interceptor `name`, as that makes it: arguments that it has changed must still fit the tool,
    and pass the policies; for one of a `layer` that may only tighten, people must have approved what it makes of them.

    `found` is what a watched one would have refused the call for, also on the first of two ways.
    """

    def __init__(
        self, name: str, call: ToolCall, inner: ToolNext, violations: Violations, *, found: str = "",
        layer: bool = False,
    ) -> None:  # fmt: skip
        self.call, self.found = call, found
        self._name, self._inner, self._violations, self._layer = name, inner, violations, layer
        self._results: list[ToolResult] = []
        self._sent = call
        self._other = False

    async def __call__(self, wanted: ToolCall, ctx: ToolContext) -> ToolResult:
        before = ctx.passage.before(self._name)
        if before is not None:  # what was asked for is out already, whatever would be asked for now
            wanted = self.call if before.args is None else msgspec.structs.replace(self.call, args=before.args)
        if wanted is not self.call and wanted != self.call:
            self._other = True
            if before is None:
                await self._require(wanted, ctx)
        self._sent = wanted
        result = await self._inner(wanted, ctx)
        self._results.append(result)
        return result

    async def _require(self, wanted: ToolCall, ctx: ToolContext) -> None:
        """Raises `PolicyRefused` unless the call may be made with these arguments."""
        wrong = ["they are missing"] if wanted.args is None else self._violations(wanted.args)
        if wrong:
            said = f"an interceptor changed the arguments, and they no longer fit the tool: {'; '.join(wrong)}"
            raise PolicyRefused(said, code="invalid_arguments")
        refused = await ctx.permit(wanted, shown=self._layer)
        if refused:
            raise PolicyRefused(refused, code="policy_denied")

    async def unchanged(self, ctx: ToolContext) -> ToolResult:
        """The call as it is."""
        return await self._inner(self.call, ctx)

    @property
    def changed(self) -> dict[str, Any] | None:
        """The arguments that were passed on, None for those that came."""
        return None if self._sent.args is self.call.args or self._sent.args == self.call.args else self._sent.args

    def differs(self, result: ToolResult) -> bool:
        """Whether the interceptor made something else of the call than one plain call and its result."""
        same = len(self._results) == 1 and (result is self._results[0] or result == self._results[0])
        return self._other or not same


async def enforced(interceptor: Interceptor, ctx: ToolContext, way: Way, say: Say) -> ToolResult:
    """The call behind the interceptor."""
    try:
        result = await interceptor.around_tool(ctx, way.call, way)
    except PolicyRefused as refused:
        say("deny", refused)
        info = ErrorInfo(refused.code, refused.message, refused.retryable, refused.details)
        return ToolResult(status="denied", error=info)
    if way.differs(result):
        say("change", CHANGED)
    return result


class _Once:
    """The call as it is, made once, however often and with whatever the interceptor asks for it."""

    def __init__(self, way: Way, ctx: ToolContext) -> None:
        self._way, self._ctx = way, ctx
        self._lock = asyncio.Lock()
        self.asked = 0
        self.begun = self.other = False
        self.result: ToolResult | None = None

    async def __call__(self, wanted: ToolCall, _ctx: ToolContext) -> ToolResult:
        self.asked += 1
        self.other = self.other or self.asked > 1 or wanted != self._way.call
        return await self.made()

    async def made(self) -> ToolResult:
        """The one result."""
        async with self._lock:
            if self.result is None:
                self.begun = True
                self.result = await self._way.unchanged(self._ctx)
            return self.result


async def watched(interceptor: Interceptor, ctx: ToolContext, within: RunContext, way: Way, say: Say) -> ToolResult:
    """The call as it is; the interceptor believes that it stands around it, and what it would do is in `way.found`."""
    if way.found:  # said on the way in
        return await way.unchanged(ctx)
    once = _Once(way, ctx)
    believed = replace(ctx, within=replace(within, watched=True))
    try:
        result = await interceptor.around_tool(believed, way.call, once)
    except GatewayError as error:
        if once.begun and once.result is None:
            raise  # what is inside failed, not the interceptor
        way.found = error.message
        say("deny", error)
    else:
        if once.other or result != once.result:
            way.found = WOULD_CHANGE.message
            say("change", WOULD_CHANGE)
    return await once.made()
