"""Calls that fail for a while are made again, if they may be and while there is time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headgate.compile.applied import Applied
from headgate.core.messages import ErrorInfo, ToolResult
from headgate.core.ports import Annotations
from headgate.interceptors.retry import Retry, RetrySpec
from headgate.testing.interceptor_kit import INNOCENT, LOOKUP, Listener, Tool, calling

AWAY = ToolResult("error", error=ErrorInfo("connection_error", "Nobody answers.", retryable=True))
BROKEN = ToolResult("error", error=ErrorInfo("tool_error", "It broke."))


class Sleeper:
    """Keeps how long it was to sleep, and does not."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def retry(sleeper: Sleeper, chance: float = 1.0, **keys: Any) -> Retry:
    """A retry of a table."""
    return Retry(RetrySpec.model_validate({"kind": "retry", **keys}), sleeper, lambda: chance)


async def test_it_is_made_again_until_it_works() -> None:
    """Each wait is twice as long; the result says how many attempts there were."""
    sleeper, tool = Sleeper(), Tool((AWAY, AWAY, AWAY, INNOCENT))
    result = await retry(sleeper, max=5, backoff="1s").around_tool(Listener().call(), calling(), tool)
    assert (result.structured, result.meta) == (INNOCENT.structured, {"attempts": 4})
    assert sleeper.slept == [1.0, 2.0, 4.0]


async def test_it_is_given_up() -> None:
    """The last failure is the result."""
    tool = Tool((AWAY,))
    result = await retry(Sleeper(), max=2).around_tool(Listener().call(), calling(), tool)
    assert (result.error, len(tool.calls)) == (AWAY.error, 3)


async def test_waits_are_random_and_heed_what_the_error_says() -> None:
    """Half of each wait is left to chance; a stated time is waited in any case."""
    sleeper = Sleeper()
    await retry(sleeper, 0.0, backoff="1s").around_tool(Listener().call(), calling(), Tool((AWAY, INNOCENT)))
    error = ErrorInfo("http_status", "Too many.", retryable=True, details={"retry_after": 3})
    tool = Tool((ToolResult("error", error=error), INNOCENT))
    await retry(sleeper, 0.0, backoff="1s").around_tool(Listener().call(), calling(), tool)
    assert sleeper.slept == [0.5, 3.0]


@pytest.mark.parametrize("result", [INNOCENT, BROKEN, ToolResult("denied", error=AWAY.error)])
async def test_what_does_not_pass_is_not_made_again(result: ToolResult) -> None:
    """Success, a failure that stays, and a refusal are final."""
    tool = Tool((result,))
    assert await retry(Sleeper()).around_tool(Listener().call(), calling(), tool) is result
    assert len(tool.calls) == 1


@pytest.mark.parametrize(
    ("hints", "calls"),
    [(Annotations(), 1), (Annotations(read_only=True), 3), (Annotations(idempotent=True), 3), (None, 1)],
)
async def test_what_may_have_taken_effect_is_not_made_twice(hints: Annotations | None, calls: int) -> None:
    """Only read-only and idempotent tools are called again."""
    tool = Tool((AWAY,))
    ctx = Listener().call(replace(LOOKUP, annotations=hints) if hints else None)
    await retry(Sleeper()).around_tool(ctx, calling(), tool)
    assert len(tool.calls) == calls


async def test_there_must_be_time() -> None:
    """A wait beyond the call's deadline is not begun."""
    sleeper, tool = Sleeper(), Tool((AWAY,))
    result = await retry(sleeper, backoff="5s").around_tool(Listener().call(timeout=4.0), calling(), tool)
    assert (result, sleeper.slept) == (AWAY, [])


async def test_one_that_is_watched_waits_for_nothing() -> None:
    """The call is made once, and that it would have been made again is said."""
    sleeper, tool, listener = Sleeper(), Tool((AWAY,)), Listener()
    applied = Applied("again", retry(sleeper), ("*",), ("*",), None, "audit")
    assert await applied.around_tool(LOOKUP, tool, lambda _args: [])(calling(), listener.call()) == AWAY
    assert (len(tool.calls), sleeper.slept) == (1, [])
    assert listener.decisions == [("again", "change", "would_change", "audit")]
