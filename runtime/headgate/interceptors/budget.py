"""Interceptors of kind `budget`: so much money, so many tokens or calls in a time, by key, team, session, agent or
tool."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from datetime import UTC, tzinfo
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.context import RunContext, ToolContext
from headgate.core.errors import PolicyRefused
from headgate.core.kind import Env, Finding, Kind, Scope
from headgate.core.messages import ToolCall, ToolResult
from headgate.core.ports import ModelEvent, ModelNext, ModelRequest, ToolNext, TurnDone
from headgate.core.scalars import DURATION, duration_text, seconds
from headgate.interceptors.budget_meter import Calendar, MemoryMeter, Meter, Spent, Window, calendar, rolling
from headgate.interceptors.common import InterceptorSpec, Passing, Touched, conversation

Per = Literal["key", "team", "session", "agent", "tool"]
_UNITS = ("day", "month")


def _window(value: Any) -> str | float:
    if value in _UNITS:
        return str(value)
    length = seconds(value)
    if length < 1:
        raise PydanticCustomError("duration", "a window is at least one second long")
    return length


WindowText = Annotated[
    Calendar | float,
    PlainValidator(_window),
    WithJsonSchema({"anyOf": [{"enum": list(_UNITS)}, {"type": "string", "pattern": DURATION}]}),
]
"""`day` or `month` of the calendar, or a duration that goes along with the time."""


class BudgetSpec(InterceptorSpec):
    """Refuses model turns and calls once a budget is spent. What is spent is kept in memory: a restart, or an edit of
    the table, begins at nothing."""

    kind: Literal["budget"]
    usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """USD that model turns may cost; a model without a known price is refused."""
    tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens of all classes that model turns may take."""
    calls: Annotated[int, Field(ge=1)] | None = None
    """Tool calls that may be made; when they are used up, further calls are refused, and turns are not."""
    per: Per = "key"
    """Who has a budget of their own; a run without a session counts as a session."""
    window: WindowText = "day"
    """The time that the budget is for: `day` or `month` of the calendar, or a duration, such as `24h`, that goes along
    with the time."""
    timezone: str = "UTC"
    """The time zone of days and months, such as `Europe/Berlin`."""

    @model_validator(mode="after")
    def _something(self) -> BudgetSpec:
        if self.usd is None and self.tokens is None and self.calls is None:
            raise PydanticCustomError("budget", "one of usd, tokens and calls is needed")
        if self.per == "tool" and self.of_turns:
            raise PydanticCustomError("budget", "model turns belong to no tool: with per = tool, only calls count")
        return self

    @property
    def of_turns(self) -> bool:
        """Whether model turns count."""
        return self.usd is not None or self.tokens is not None

    @property
    def touches(self) -> Touched:
        """Turns only where they count."""
        return frozenset({"model", "tool"} if self.of_turns else {"tool"})

    @property
    def time(self) -> str:
        """The window in words."""
        return f"this {self.window}" if isinstance(self.window, str) else f"in {duration_text(self.window)}"


class Budget(Passing):
    """Counts at each turn's end and before each call; a turn that has begun is finished, so that turns side by side
    may spend a little more than there is."""

    def __init__(self, spec: BudgetSpec, meter: Meter) -> None:
        self._spec = spec
        self._meter = meter
        self.touches = spec.touches

    async def around_model(
        self, ctx: RunContext, request: ModelRequest, call_next: ModelNext, /
    ) -> AsyncGenerator[ModelEvent]:
        """The turn, unless the budget is spent; a watched one has been made already, and is counted anyway."""
        holder = self._holder(ctx)
        refused = self._spent(await self._meter.spent(holder))
        if refused is not None and not ctx.watched:
            raise refused
        async with aclosing(call_next(request)) as events:
            async for event in events:
                if isinstance(event, TurnDone):
                    await self._count(holder, event)
                    if refused is not None:
                        raise refused
                yield event

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        """The call, unless the budget is spent; it is counted before it is made."""
        if ctx.resumed:
            return await call_next(call, ctx)
        holder = self._holder(ctx, call.name)
        total = await self._meter.add(holder, Spent(calls=1))
        refused = self._spent(total) or self._used_up(total)
        if refused is not None:
            await self._meter.add(holder, Spent(calls=-1))
            raise refused
        return await call_next(call, ctx)

    async def _count(self, holder: str, done: TurnDone) -> None:
        await self._meter.add(holder, Spent(done.cost or 0.0, done.usage.total))
        if self._spec.usd is not None and done.cost is None and done.usage.total:
            said = f"the budget cannot be kept: {done.model} has no price; add it to the provider's prices"
            raise PolicyRefused(said, code="price_unknown")

    def _holder(self, ctx: RunContext | ToolContext, tool: str = "") -> str:
        """Who pays; a run without a session is one of its own."""
        session = ctx.session
        held = {"key": session.key, "team": session.team, "session": conversation(ctx), "agent": ctx.agent}
        return held.get(self._spec.per, tool)

    def _spent(self, so_far: Spent) -> PolicyRefused | None:
        spec = self._spec
        if spec.usd is not None and so_far.usd >= spec.usd:
            return self._refusal(f"{so_far.usd:.4f} of {spec.usd:g} USD", "usd", so_far.usd, spec.usd)
        if spec.tokens is not None and so_far.tokens >= spec.tokens:
            return self._refusal(f"{so_far.tokens} of {spec.tokens} tokens", "tokens", so_far.tokens, spec.tokens)
        return None

    def _used_up(self, total: Spent) -> PolicyRefused | None:
        """Whether the call that is counted in `total` already was one too many."""
        allowed = self._spec.calls
        if allowed is None or total.calls <= allowed:
            return None
        return self._refusal(f"all {allowed} calls", "calls", total.calls - 1, allowed)

    def _refusal(self, amount: str, unit: str, spent: float, budget: float) -> PolicyRefused:
        said = f"the budget of this {self._spec.per} is spent: {amount} {self._spec.time}"
        details = {"limit": unit, "spent": round(spent, 6), "budget": budget}
        return PolicyRefused(said, code="budget_exceeded", details=details)


def check(spec: BudgetSpec, _scope: Scope) -> Iterable[Finding]:
    """The time zone is known here."""
    if _zone(spec.timezone) is None:
        yield Finding(("timezone",), "HG1004", f"{spec.timezone!r} is no time zone", "write one such as Europe/Berlin")


@contextlib.asynccontextmanager
async def open_interceptor(spec: BudgetSpec, _env: Env) -> AsyncIterator[Budget]:
    """The interceptor, with nothing spent."""
    yield Budget(spec, MemoryMeter(window_of(spec), time.time))


def window_of(spec: BudgetSpec) -> Window:
    """The window that the spec states."""
    if isinstance(spec.window, str):
        return calendar(spec.window, _zone(spec.timezone) or UTC)
    return rolling(spec.window)


def _zone(name: str) -> tzinfo | None:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)  # UTC is there without a database of time zones
    except (LookupError, ValueError, OSError):
        return None


KIND: Kind[BudgetSpec, Budget] = Kind(
    "budget", "So much money, so many tokens or calls in a time.", BudgetSpec, open_interceptor, check
)
"""The registration of the kind."""
