"""Interceptors of kind `retry`: calls that fail for a while are made again, if they may be."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, ClassVar, Literal

import msgspec
from pydantic import Field

from headgate.core.context import ToolContext
from headgate.core.kind import Env, Kind
from headgate.core.messages import ToolCall, ToolResult
from headgate.core.ports import Annotations, ToolNext
from headgate.core.scalars import Duration
from headgate.interceptors.common import InterceptorSpec, Passing

Sleep = Callable[[float], Awaitable[None]]
_LONGEST = 30.0
_AGAIN = "again"


class RetrySpec(InterceptorSpec):
    """Makes calls again that failed with an error that may pass, within the time that the call has. Only idempotent
    and read-only tools are called again."""

    kind: Literal["retry"]
    max: Annotated[int, Field(ge=1, le=10)] = 2
    """How many further attempts there are."""
    backoff: Annotated[Duration, Field(gt=0)] = 0.2
    """How long the first further attempt waits at most; each one waits twice as long as the one before, and a random
    part of that less. A time that the error states is waited at least."""

    only: ClassVar[str] = "only calls of read_only and idempotent tools are made again"

    def handles(self, tool: Annotations, /) -> bool:
        """A call that may have taken effect must not be made twice."""
        return tool.read_only or tool.idempotent


class Retry(Passing):
    """Makes a call until it does not fail for a while."""

    def __init__(
        self, spec: RetrySpec, sleep: Sleep = asyncio.sleep, chance: Callable[[], float] = random.random
    ) -> None:
        self._spec, self._sleep, self._chance = spec, sleep, chance

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        """The result of the last attempt, marked with their number when there were several."""
        made = int(ctx.memo.get(_AGAIN, 0))  # further attempts before the call came to wait
        result = _counted(await call_next(call, ctx), made)
        if ctx.tool is None or not self._spec.handles(ctx.tool.annotations):
            return result
        for attempt in range(made + 1, self._spec.max + 1):
            if not _may_pass(result) or not await self._waited(ctx, result, attempt):
                break
            ctx.memo[_AGAIN] = attempt
            result = _counted(await call_next(call, ctx), attempt)
        return result

    async def _waited(self, ctx: ToolContext, result: ToolResult, attempt: int) -> bool:
        """Waits before a further attempt; false when there is no time for it."""
        most = min(self._spec.backoff * 2 ** (attempt - 1), _LONGEST)
        delay = max(most * (0.5 + self._chance() / 2), _stated(result))
        if asyncio.get_running_loop().time() + delay >= ctx.deadline:
            return False
        if ctx.within is None or not ctx.within.watched:
            await self._sleep(delay)
        return True


def _counted(result: ToolResult, again: int) -> ToolResult:
    return msgspec.structs.replace(result, meta={**result.meta, "attempts": again + 1}) if again else result


def _may_pass(result: ToolResult) -> bool:
    return result.status == "error" and result.error is not None and result.error.retryable


def _stated(result: ToolResult) -> float:
    """The seconds after which the error says that it may be tried again."""
    stated = result.error.details.get("retry_after") if result.error is not None else None
    return float(stated) if isinstance(stated, int | float) else 0.0


@contextlib.asynccontextmanager
async def open_interceptor(spec: RetrySpec, _env: Env) -> AsyncIterator[Retry]:
    """The interceptor; it holds nothing."""
    yield Retry(spec)


KIND: Kind[RetrySpec, Retry] = Kind("retry", "Calls that fail for a while are made again.", RetrySpec, open_interceptor)
"""The registration of the kind."""
