"""Interceptors of kind `rate_limit`: so many calls in so much time, by key, team, session, agent or tool."""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from headgate.core.context import ToolContext
from headgate.core.errors import PolicyRefused
from headgate.core.kind import Env, Kind
from headgate.core.messages import ToolCall, ToolResult
from headgate.core.ports import ToolNext
from headgate.core.scalars import Rate
from headgate.interceptors.common import InterceptorSpec, Passing, conversation

Per = Literal["key", "team", "session", "agent", "tool"]
_REMEMBERED = 100_000


class RateLimitSpec(InterceptorSpec):
    """Refuses calls beyond a rate."""

    kind: Literal["rate_limit"]
    limit: Rate
    """How many calls in which time, such as `60/min`."""
    per: Per = "key"
    """Who has a limit of their own; a run without a session counts as a session."""
    burst: Annotated[int, Field(ge=1)] | None = None
    """How many calls may come at once; as many as the rate says if unstated."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimit(Passing):
    """A token bucket for each holder: it fills at the rate and holds at most the burst."""

    def __init__(self, name: str, spec: RateLimitSpec, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._per = spec.per
        self._rate = spec.limit.count / spec.limit.seconds
        self._size = float(spec.burst or spec.limit.count)
        self._limit = spec.limit
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        """Takes a token, or refuses with the seconds until there is one."""
        wait = 0.0 if ctx.resumed else self._take(self._holder(ctx, call))
        if wait > 0:
            said = f"{call.name} may be called {self._limit} per {self._per}; try again in {wait:.1f} s"
            raise PolicyRefused(said, code="rate_limited", retryable=True, details={"retry_after": round(wait, 1)})
        return await call_next(call, ctx)

    def _holder(self, ctx: ToolContext, call: ToolCall) -> str:
        session = ctx.session
        held = {"key": session.key, "team": session.team, "session": conversation(ctx), "agent": ctx.agent}
        return held.get(self._per, call.name)

    def _take(self, holder: str) -> float:
        """Takes a token; returns the seconds until there is one when there is none."""
        now = self._clock()
        bucket = self._buckets.setdefault(holder, _Bucket(self._size, now))
        bucket.tokens = min(self._size, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        self._buckets.move_to_end(holder)
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._rate
        bucket.tokens -= 1
        return 0.0


@contextlib.asynccontextmanager
async def open_interceptor(spec: RateLimitSpec, env: Env) -> AsyncIterator[RateLimit]:
    """The interceptor; an edit of its table empties the buckets."""
    yield RateLimit(env.name, spec)


KIND: Kind[RateLimitSpec, RateLimit] = Kind(
    "rate_limit", "So many calls in so much time.", RateLimitSpec, open_interceptor
)
"""The registration of the kind."""
