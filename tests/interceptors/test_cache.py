"""Answers of read-only tools are kept for a while, shared by those who may share them, within limits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest

from headgate.core.context import SessionInfo, ToolContext
from headgate.core.messages import ErrorInfo, ToolCall, ToolResult
from headgate.core.ports import Annotations
from headgate.interceptors.cache import Cache, CacheSpec
from headgate.testing.interceptor_kit import LOOKUP, Listener, Tool, calling
from tests.waiting import until


@dataclass
class Clock:
    """A clock that goes on when it is told to."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def cache(clock: Clock | None = None, **keys: Any) -> Cache:
    """A cache of a table."""
    return Cache(CacheSpec.model_validate({"kind": "cache", **keys}), clock or Clock())


def context(session: tuple[str, str, str] = ("s", "ops", "me"), **keys: Any) -> ToolContext:
    """A call in a session."""
    return replace(Listener().call(), session=SessionInfo(*session), **keys)


async def made(held: Cache, tool: Tool, call: ToolCall, ctx: ToolContext | None = None) -> bool:
    """Whether a call is made, and not answered from what is kept."""
    before = len(tool.calls)
    result = await held.around_tool(ctx or context(), call, tool)
    assert ("cache" in result.meta) == (len(tool.calls) == before)
    return len(tool.calls) > before


async def test_the_same_call_is_answered_until_its_time_is_up() -> None:
    """The order of arguments does not matter; the answer says how old it is."""
    clock, tool = Clock(), Tool()
    held = cache(clock, ttl="10s")
    assert await made(held, tool, calling(a=1, b={"c": 1, "d": 2}))
    clock.now += 9.5
    answer = await held.around_tool(context(), calling(b={"d": 2, "c": 1}, a=1), tool)
    assert answer.meta == {"cache": {"age_s": 9.5}}
    clock.now += 0.5
    assert await made(held, tool, calling(a=1, b={"c": 1, "d": 2}))


async def test_other_calls_are_made() -> None:
    """Another argument, another tool, or another edition of the tool is another call."""
    held, tool = cache(), Tool()
    assert await made(held, tool, calling(a=1))
    assert await made(held, tool, calling(a="1"))
    assert await made(held, tool, calling("find", a=1))
    other = replace(LOOKUP)
    assert await made(held, tool, calling(a=1), context(tool=other))
    assert not await made(held, tool, calling(a=1), context(tool=other))


@pytest.mark.parametrize("hints", [Annotations(), Annotations(destructive=False, idempotent=True), None])
async def test_what_may_change_something_is_called(hints: Annotations | None) -> None:
    """Only tools that are known to be read-only are cached."""
    held, tool = cache(), Tool()
    ctx = context(tool=replace(LOOKUP, annotations=hints) if hints else None)
    assert [await made(held, tool, calling(), ctx) for _ in range(2)] == [True, True]


async def test_failures_are_not_kept() -> None:
    """A result that is not `ok` is not the answer of the next call."""
    held, tool = cache(), Tool((ToolResult("error", error=ErrorInfo("tool_error", "It broke.")), ToolResult()))
    assert [await made(held, tool, calling()) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("per", "shared"),
    [
        ("all", [True, True, True]),
        ("team", [True, True, False]),
        ("key", [True, False, False]),
        ("session", [False, False, False]),
    ],
)
async def test_who_shares(per: str, shared: list[bool]) -> None:
    """Nobody sees what was answered to somebody else than those who share."""
    sessions = [("t", "ops", "me"), ("t", "ops", "you"), ("t", "sales", "you")]
    for session, hit in zip(sessions, shared, strict=True):
        held, tool = cache(per=per), Tool()
        await made(held, tool, calling())
        assert await made(held, tool, calling(), context(session)) is not hit


async def test_runs_without_a_session_share_nothing() -> None:
    """With `per = "session"` the answer that a stranger's run has had is not told to another."""
    held, tool = cache(per="session"), Tool()
    ones, others = (context(("", team, team), run=f"run_{team}") for team in ("ops", "sales"))
    assert [await made(held, tool, calling(), each) for each in (ones, ones, others)] == [True, False, True]


async def test_limits() -> None:
    """What was not asked for the longest time goes first; what is too large is not kept."""
    held, tool = cache(max_entries=2), Tool()
    for name in ("a", "b", "a", "c", "a"):
        await held.around_tool(context(), calling(n=name), tool)
    assert [each.args for each in tool.calls] == [{"n": "a"}, {"n": "b"}, {"n": "c"}]
    assert await made(held, tool, calling(n="b"))
    small, large = cache(max_bytes="200B"), Tool((ToolResult(structured="x" * 100),))
    for name in ("a", "b", "b"):
        await small.around_tool(context(), calling(n=name), large)
    assert len(large.calls) == 2
    assert await made(small, large, calling(n="a"))
    tiny = cache(max_bytes="50B")
    assert [await made(tiny, large, calling()) for _ in range(2)] == [True, True]


class Gate:
    """A tool that answers when it is let."""

    def __init__(self, result: ToolResult) -> None:
        self.calls, self.opened, self.result = 0, asyncio.Event(), result

    async def __call__(self, call: ToolCall, ctx: ToolContext) -> ToolResult:
        self.calls += 1
        await self.opened.wait()
        return self.result


async def test_equal_calls_side_by_side_are_one() -> None:
    """The others wait for the one, and have its answer."""
    held, gate = cache(), Gate(ToolResult(structured=1))
    tasks = [asyncio.create_task(held.around_tool(context(), calling(), gate)) for _ in range(5)]
    await until(lambda: gate.calls == 1)
    gate.opened.set()
    results = await asyncio.gather(*tasks)
    assert (gate.calls, [each.structured for each in results]) == (1, [1] * 5)
    assert sum("cache" in each.meta for each in results) == 4


async def test_a_failure_is_not_shared() -> None:
    """Those who waited for a call that failed make their own."""
    held, gate = cache(), Gate(ToolResult("error", error=ErrorInfo("tool_error", "It broke.")))
    tasks = [asyncio.create_task(held.around_tool(context(), calling(), gate)) for _ in range(3)]
    await until(lambda: gate.calls == 1)
    gate.opened.set()
    await asyncio.gather(*tasks)
    assert gate.calls == 3


@pytest.mark.parametrize("victim", [0, 1])
async def test_one_that_is_cancelled_harms_no_other(victim: int) -> None:
    """Whether it makes the call or waits for it: the other has its answer."""
    held, gate = cache(), Gate(ToolResult(structured=1))
    tasks = [asyncio.create_task(held.around_tool(context(), calling(), gate)) for _ in range(2)]
    await until(lambda: gate.calls == 1)
    tasks[victim].cancel()
    await asyncio.wait([tasks[victim]])
    gate.opened.set()
    assert (await tasks[1 - victim]).structured == 1
    assert tasks[victim].cancelled()
