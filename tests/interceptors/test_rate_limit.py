"""Rates: how many calls may come at once, how soon there are more, and who has a limit of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from headgate.compile.applied import Applied
from headgate.core.context import SessionInfo
from headgate.core.errors import PolicyRefused
from headgate.interceptors.rate_limit import KIND, RateLimit, RateLimitSpec
from headgate.testing.interceptor_kit import INNOCENT, LOOKUP, Listener, Tool, calling, check_refusal, opened


@dataclass
class Clock:
    """A clock that goes on when it is told to."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def limiter(clock: Clock, **keys: Any) -> RateLimit:
    """A limit of a table."""
    return RateLimit("sample", RateLimitSpec.model_validate({"kind": "rate_limit", "limit": "60/min", **keys}), clock)


async def passes(
    limit: RateLimit, tool: str = "lookup", agent: str = "helper", session: tuple[str, str, str] = ("s", "ops", "me")
) -> bool:
    """Whether a call passes."""
    ctx = replace(Listener().call(), session=SessionInfo(*session), agent=agent)
    try:
        return await limit.around_tool(ctx, calling(tool), Tool()) == INNOCENT
    except PolicyRefused:
        return False


async def test_a_burst_and_what_fills_it() -> None:
    """So many calls may come at once; then they come at the rate, and pauses do not add up beyond the burst."""
    clock = Clock()
    limit = limiter(clock, burst=3)
    assert [await passes(limit) for _ in range(4)] == [True, True, True, False]
    clock.now += 1
    assert [await passes(limit) for _ in range(2)] == [True, False]
    clock.now += 3600
    assert [await passes(limit) for _ in range(4)] == [True, True, True, False]


async def test_without_a_burst_the_rate_may_come_at_once() -> None:
    """A limit of 60 a minute is used up by 60 calls."""
    limit = limiter(Clock())
    assert [await passes(limit) for _ in range(61)] == [True] * 60 + [False]


@pytest.mark.parametrize(
    ("per", "others"),
    [
        ("key", {"session": ("s", "ops", "you")}),
        ("team", {"session": ("s", "sales", "me")}),
        ("session", {"session": ("t", "ops", "me")}),
        ("agent", {"agent": "other"}),
        ("tool", {"tool": "send"}),
    ],
)
async def test_holders(per: str, others: dict[str, Any]) -> None:
    """Each holder has a bucket; what else is different about a call changes nothing."""
    limit = limiter(Clock(), per=per, burst=1)
    assert await passes(limit)
    assert not await passes(limit)
    assert await passes(limit, **others)
    different: dict[str, Any] = {"session": ("t", "sales", "you"), "agent": "third", "tool": "third"}
    same = {"key": ("t", "sales", "me"), "team": ("t", "ops", "you"), "session": ("s", "sales", "you")}
    if per in same:
        different["session"] = same[per]
    else:
        different[per] = {"agent": "helper", "tool": "lookup"}[per]
    assert not await passes(limit, **different)


async def test_runs_without_a_session() -> None:
    """Each counts for itself: runs of strangers do not use up one bucket."""
    limit = limiter(Clock(), per="session", burst=1)
    ctx = replace(Listener().call(), session=SessionInfo("", "ops", "me"))
    await limit.around_tool(ctx, calling(), Tool())
    with pytest.raises(PolicyRefused):
        await limit.around_tool(ctx, calling(), Tool())
    assert await limit.around_tool(replace(ctx, run="run_of_another"), calling(), Tool()) == INNOCENT


async def test_a_refusal_says_when_to_try_again() -> None:
    """Model and client read the seconds."""
    async with opened(KIND, {"limit": "1/h"}) as limit:
        await limit.around_tool(Listener().call(), calling(), Tool())
        refused = await check_refusal(limit, calling())
    assert (refused.code, refused.retryable) == ("rate_limited", True)
    assert refused.message == "lookup may be called 1/h per key; try again in 3600.0 s"
    assert refused.details == {"retry_after": 3600.0}


async def test_a_limit_that_only_warns() -> None:
    """The call is made, and model and client are told."""
    listener, tool = Listener(), Tool()
    applied = Applied("slow", limiter(Clock(), burst=1), ("*",), ("*",), None, "warn")
    call = applied.around_tool(LOOKUP, tool, lambda _args: [])
    await call(calling(), listener.call())
    result = await call(calling(), listener.call())
    assert len(tool.calls) == 2
    assert result.structured["_warnings"] == ["slow: lookup may be called 60/min per key; try again in 1.0 s"]
    assert listener.decisions == [("slow", "deny", "rate_limited", "warn")]
