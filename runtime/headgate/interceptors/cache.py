"""Interceptors of kind `cache`: what a read-only tool has answered is answered again, without a call."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import msgspec
from pydantic import Field

from headgate.core.context import ToolContext
from headgate.core.kind import Env, Kind
from headgate.core.messages import ToolCall, ToolResult, encode
from headgate.core.ports import Annotations, ToolDefinition, ToolNext
from headgate.core.scalars import Duration, SomeSize
from headgate.interceptors.common import InterceptorSpec, Passing, conversation

Per = Literal["all", "team", "key", "session"]
_CANONICAL = msgspec.json.Encoder(order="deterministic")


class CacheSpec(InterceptorSpec):
    """Answers calls of read-only tools from memory. Calls with the same arguments that come while one is made wait for
    its answer. An edit of the table, or of a tool, empties what is kept of it."""

    kind: Literal["cache"]
    ttl: Annotated[Duration, Field(gt=0)] = 300.0
    """How long an answer holds."""
    per: Per = "key"
    """Who shares answers: everybody, a team, the holder of a key, or a session, which a run
    without one is for itself. Answers that a tool gave with the account of a person are theirs alone."""
    max_entries: Annotated[int, Field(ge=1)] = 1_000
    """How many answers are kept; those that were not asked for the longest time go first."""
    max_bytes: SomeSize = 16 << 20
    """How large all answers together may be."""

    only: ClassVar[str] = "only calls of read_only tools are cached"

    def handles(self, tool: Annotations, /) -> bool:
        """What changes something must be called."""
        return tool.read_only


@dataclass(frozen=True, slots=True)
class _Entry:
    result: ToolResult
    made: float
    size: int


class Answers:
    """What was answered, within limits of age, number and bytes."""

    def __init__(self, spec: CacheSpec, clock: Callable[[], float]) -> None:
        self._spec, self._clock = spec, clock
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._bytes = 0

    def get(self, key: bytes) -> ToolResult | None:
        """The answer, marked with its age in seconds."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        age = self._clock() - entry.made
        if age >= self._spec.ttl:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return marked(entry.result, age)

    def put(self, key: bytes, result: ToolResult) -> None:
        """Keeps an answer, in the place of older ones."""
        size = len(key) + len(encode(result))
        self._drop(key)
        if size > self._spec.max_bytes:
            return
        self._entries[key] = _Entry(result, self._clock(), size)
        self._bytes += size
        while len(self._entries) > self._spec.max_entries or self._bytes > self._spec.max_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        self._bytes -= entry.size if entry is not None else 0


def marked(result: ToolResult, age: float) -> ToolResult:
    """The result, which was not made by this call."""
    return msgspec.structs.replace(result, meta={**result.meta, "cache": {"age_s": round(age, 3)}})


class Cache(Passing):
    """Makes one of equal calls, and answers the others with its result if that is `ok`."""

    def __init__(self, spec: CacheSpec, clock: Callable[[], float] = time.monotonic) -> None:
        self._per = spec.per
        self._answers = Answers(spec, clock)
        self._flights: dict[bytes, asyncio.Future[ToolResult | None]] = {}
        self._editions: dict[str, tuple[int, ToolDefinition]] = {}

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        """The answer that is known, or the one that another call waits for, or that of the call."""
        if ctx.tool is None or not ctx.tool.annotations.read_only or call.args is None:
            return await call_next(call, ctx)
        key = self._key(ctx, ctx.tool, call)
        while True:
            known = self._answers.get(key)
            if known is not None and not ctx.resumed:
                return known
            flight = self._flights.get(key)
            if flight is None or ctx.resumed:
                return await self._fly(key, call, ctx, call_next)
            await asyncio.wait([flight])
            made = flight.result()
            if made is not None:
                return marked(made, 0) if made.status == "ok" else await call_next(call, ctx)

    async def _fly(self, key: bytes, call: ToolCall, ctx: ToolContext, call_next: ToolNext) -> ToolResult:
        """Makes the call; those that wait try themselves when it is cut off."""
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        result: ToolResult | None = None
        try:
            result = await call_next(call, ctx)
            if result.status == "ok":
                self._answers.put(key, result)
            return result
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]
            flight.set_result(result)

    def _key(self, ctx: ToolContext, tool: ToolDefinition, call: ToolCall) -> bytes:
        """What must be the same: who shares, the tool in its present edition, and the arguments in any order."""
        session = ctx.session
        holder: dict[Per, str] = {"all": "", "team": session.team, "key": session.key, "session": conversation(ctx)}
        edition, known = self._editions.get(call.name, (0, None))
        if known is not tool:
            edition += 1
            self._editions[call.name] = edition, tool
        own = session.account if tool.personal else ""
        return _CANONICAL.encode([holder[self._per], own, call.name, edition, call.args])


@contextlib.asynccontextmanager
async def open_interceptor(spec: CacheSpec, _env: Env) -> AsyncIterator[Cache]:
    """The interceptor, empty."""
    yield Cache(spec)


KIND: Kind[CacheSpec, Cache] = Kind("cache", "Read-only tools are not asked twice.", CacheSpec, open_interceptor)
"""The registration of the kind."""
