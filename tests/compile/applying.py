"""An interceptor that does what it is told, and how tests of `Applied` apply it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

import msgspec

from headgate.compile.applied import Applied
from headgate.core.context import Mode, RunContext, ToolContext
from headgate.core.errors import GatewayError, PolicyRefused
from headgate.core.messages import Message, Text, ToolCall, ToolResult
from headgate.core.ports import (
    ModelEvent,
    ModelNext,
    ModelRequest,
    ToolNext,
    TurnDone,
)
from headgate.expressions.cel_types import Declarations
from headgate.expressions.condition import Condition
from headgate.interceptors.common import Passing

REFUSED = PolicyRefused("not on my watch", code="policy_denied", retryable=True, details={"why": "because"})
MODES = ("warn", "audit")


class Sample(Passing):
    """Refuses before or after, changes what goes in or comes out, or lets pass."""

    touches = frozenset({"model", "tool"})

    def __init__(self, does: str = "pass", error: GatewayError = REFUSED) -> None:
        self._does, self._error = does, error

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        if self._does == "before":
            raise self._error
        if self._does == "alone":
            return ToolResult(structured={"mine": True})
        if self._does == "arguments":
            call = msgspec.structs.replace(call, args={"thing": "changed"})
        if self._does == "misfit":
            call = msgspec.structs.replace(call, args={"thing": 5})
        if self._does == "twice":
            await call_next(call, ctx)
        result = await call_next(call, ctx)
        if self._does == "after":
            raise self._error
        return ToolResult(structured={"changed": True}) if self._does == "result" else result

    async def around_model(
        self, ctx: RunContext, request: ModelRequest, call_next: ModelNext, /
    ) -> AsyncGenerator[ModelEvent]:
        if self._does == "before":
            raise self._error
        if self._does == "request":
            request = replace(request, system="Something else.")
        if self._does == "twice":
            async for _ in call_next(request):
                pass
        async for event in call_next(request):
            if self._does == "after" and isinstance(event, TurnDone):
                raise self._error
            if self._does == "result" and isinstance(event, TurnDone):
                event = msgspec.structs.replace(event, message=Message("assistant", (Text("changed"),)))
            yield event
            if self._does == "middle":
                raise self._error


def applied(does: str | Passing = "pass", mode: Mode = "enforce", name: str = "sample", when: str = "") -> Applied:
    """The sample, applied to everything."""
    condition = Condition.parse(when, Declarations()) if when else None
    held = does if isinstance(does, Passing) else Sample(does)
    return Applied(name, held, ("*",), ("*",), condition, mode)
