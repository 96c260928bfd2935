"""One interceptor around one tool call: enforced, or watched, when nothing comes of what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from headgate.compile.plan import Violations
from headgate.core.context import Action, RunContext, ToolContext
from headgate.core.errors import GatewayError, PolicyRefused
from headgate.core.messages import ErrorInfo, ToolCall, ToolResult
from headgate.core.ports import Interceptor, ToolNext

Say = Callable[[Action, GatewayError], None]
"""How a decision is told and counted."""

CHANGED = PolicyRefused("it changed the call or its result", code="changed")
WOULD_CHANGE = PolicyRefused("it would have changed the call or its result", code="would_change")


class Inner:
    """The call as an interceptor makes it: arguments that it has changed must still fit the tool."""

    def __init__(self, call: ToolCall, inner: ToolNext, violations: Violations) -> None:
        self._call, self._inner, self._violations = call, inner, violations
        self._results: list[ToolResult] = []
        self._other = False

    async def __call__(self, wanted: ToolCall, ctx: ToolContext) -> ToolResult:
        if wanted is not self._call and wanted != self._call:
            self._other = True
            wrong = ["they are missing"] if wanted.args is None else self._violations(wanted.args)
            if wrong:
                said = f"an interceptor changed the arguments, and they no longer fit the tool: {'; '.join(wrong)}"
                raise PolicyRefused(said, code="invalid_arguments")
        result = await self._inner(wanted, ctx)
        self._results.append(result)
        return result

    def differs(self, result: ToolResult) -> bool:
        """Whether the interceptor made something else of the call than one plain call and its result."""
        same = len(self._results) == 1 and (result is self._results[0] or result == self._results[0])
        return self._other or not same


async def enforced(interceptor: Interceptor, call: ToolCall, ctx: ToolContext, inner: Inner, say: Say) -> ToolResult:
    """The call behind the interceptor."""
    try:
        result = await interceptor.around_tool(ctx, call, inner)
    except PolicyRefused as refused:
        say("deny", refused)
        info = ErrorInfo(refused.code, refused.message, refused.retryable, refused.details)
        return ToolResult(status="denied", error=info)
    if inner.differs(result):
        say("change", CHANGED)
    return result


class _Once:
    """The call as it is, made once, however often and with whatever the interceptor asks for it."""

    def __init__(self, call: ToolCall, ctx: ToolContext, inner: ToolNext) -> None:
        self._call, self._ctx, self._inner = call, ctx, inner
        self._lock = asyncio.Lock()
        self.asked = 0
        self.begun = self.other = False
        self.result: ToolResult | None = None

    async def __call__(self, wanted: ToolCall, _ctx: ToolContext) -> ToolResult:
        self.asked += 1
        self.other = self.other or self.asked > 1 or wanted != self._call
        return await self.made()

    async def made(self) -> ToolResult:
        """The one result."""
        async with self._lock:
            if self.result is None:
                self.begun = True
                self.result = await self._inner(self._call, self._ctx)
            return self.result


async def watched(
    interceptor: Interceptor, call: ToolCall, ctx: ToolContext, within: RunContext, inner: ToolNext, say: Say
) -> tuple[GatewayError | None, ToolResult]:
    """What the interceptor found, and the call as it is; the interceptor believes that it stands around it."""
    once = _Once(call, ctx, inner)
    believed = replace(ctx, within=replace(within, watched=True))
    found: GatewayError | None = None
    try:
        result = await interceptor.around_tool(believed, call, once)
    except GatewayError as error:
        if once.begun and once.result is None:
            raise  # what is inside failed, not the interceptor
        found = error
        say("deny", found)
    else:
        if once.other or result != once.result:
            found = WOULD_CHANGE
            say("change", found)
    return found, await once.made()
