"""Each happening has its one line."""

from __future__ import annotations

import pytest

from headgate.cli.render import words
from headgate.core.errors import ConfigError, Invalid
from headgate.core.events import AttemptStarted, RunCompleted, ToolCompleted, ToolStarted
from headgate.core.messages import ErrorInfo, Text, ToolResult, Usage


def completed(result: ToolResult, duration_ms: int = 5) -> str:
    """The words for a result."""
    return words.result(ToolCompleted(call_id="c", name="t", result=result, duration_ms=duration_ms))


def test_call() -> None:
    """A call is written as a function, in one line and cut when it is long."""
    started = ToolStarted(call_id="c", name="t", args={"a": "x\ny", "b": [1]}, index=0)
    assert words.call(started) == 't(a="x\\ny", b=[1])'
    long = ToolStarted(call_id="c", name="t", args={"a": "x" * 500}, index=0)
    assert words.call(long).endswith("…)")


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (ToolResult(structured={"a": 1}), '{"a":1} (5 ms)'),
        (ToolResult(content=(Text("two\nlines\x1b[31m"),)), "two lines[31m (5 ms)"),
        (ToolResult(status="error", error=ErrorInfo("late", "too late")), "late: too late (5 ms)"),
    ],
)
def test_result(result: ToolResult, said: str) -> None:
    """A result is its beginning in one line, without control characters; an error is its code and message."""
    assert completed(result) == said


def test_duration() -> None:
    """A long call is told in seconds."""
    assert completed(ToolResult(structured=1), 1500) == "1 (1.5 s)"


def test_retry() -> None:
    """A retry tells its number, the model, the pause and the reason."""
    event = AttemptStarted(attempt=2, reason=ErrorInfo("overloaded", "too much"), delay=1.25, model="m")
    assert words.retry(event) == "retry 2 with m in 1.2 s: overloaded: too much"


def test_usage() -> None:
    """What was read counts all classes of input; unknown usage is not told."""
    used = Usage(input=10, output=5, cache_read=20, cache_write=3)
    end = RunCompleted(outcome="success", usage=used, cost=0.01234, turns=1)
    assert words.usage(end) == "33 tokens in, 20 of them cached · 5 out · $0.0123 · 1 turn"
    assert words.usage(RunCompleted(outcome="success", usage=Usage(), cost=0.0, turns=1)) == ""


def test_failure() -> None:
    """A refusal tells every place that is wrong, or how to mend it."""
    wrong = Invalid("the input does not match", details={"errors": ["a: missing", "b: too long"]})
    assert words.failure(wrong, coded=True) == "invalid_request: the input does not match: a: missing; b: too long"
    assert words.failure(ConfigError("no tree", hint="name one")) == "no tree; name one"


def test_visible() -> None:
    """Escape sequences and other controls go, line ends, tabs and all letters stay."""
    assert words.visible("a\x1b]0;t\x07\x9b1m\tb\nü\u2028\r") == "a]0;t1m\tb\nü\u2028"
