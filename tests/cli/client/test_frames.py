"""Frames of the chat API become the events that they were made from."""

from __future__ import annotations

import json

import pytest

from headgate.cli.client.frames import Frames
from headgate.core.events import (
    ApprovalRequested,
    AttemptStarted,
    Custom,
    Event,
    InputRequested,
    RunCancelled,
    RunCompleted,
    RunFailed,
    TextDelta,
    ThinkingDelta,
    ToolCompleted,
    ToolOutput,
    ToolStarted,
)
from headgate.core.messages import ErrorInfo, ToolResult, Usage
from headgate.server import chat_frames
from headgate.server.seal import Seal

SEAL = Seal(lambda: "s" * 32)
USED = Usage(input=10, output=5, cache_read=2, cache_write=3)
REASON = ErrorInfo("overloaded", "too much", retryable=True)
FAULT = ToolResult(status="error", error=ErrorInfo("not_found", "no such thing"))


def read(frames: Frames, event: Event) -> list[Event]:
    """The event, encoded by the server and read again."""
    told = chat_frames.Frames(SEAL).encode(event).decode().split("\n\n")[:-1]
    found = [frames.read(json.loads(each.removeprefix("data: "))) for each in told]
    return [each for each in found if each is not None]


@pytest.mark.parametrize(
    "event",
    [
        TextDelta(text="a"),
        ThinkingDelta(text="b"),
        AttemptStarted(attempt=1, reason=REASON, delay=0.0, model=""),
        ToolStarted(call_id="c", name="t", args={"x": 1}, index=0),
        ToolOutput(call_id="c", name="t", stream="stdout", text="line", seq=1),
        ToolCompleted(call_id="c", name="t", result=ToolResult(structured={"x": 1}), duration_ms=3, server="s"),
        ToolCompleted(call_id="c", name="t", result=FAULT, duration_ms=3),
        ApprovalRequested(
            id="c", call_id="c", name="t", args={"x": 1}, args_hash="", policy="", expires_at=9.0, qualifier="q"
        ),
        InputRequested(id="c", kind="client_tool", call_id="c", name="t", args={}, expires_at=9.0),
        Custom(call_id="", name="", kind="progress", data={"done": 0.5}),
        RunCompleted(outcome="success", usage=USED, cost=0.5, turns=1),
        RunFailed(outcome="error", usage=Usage(), cost=0.0, turns=0, error=ErrorInfo("bad", "a: b")),
        RunFailed(outcome="timeout", usage=Usage(), cost=0.0, turns=0, error=ErrorInfo("run_timeout", "late")),
        RunCancelled(outcome="revoked", usage=Usage(), cost=0.0, turns=0, reason="the key is gone"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_same(event: Event) -> None:
    """What the wire tells is what the run told."""
    assert read(Frames(), event) == [event]


@pytest.mark.parametrize(
    "limit",
    [
        {"limit": "budget_usd", "cost": 0.5, "budget": 0.25},
        {"limit": "max_turns", "turns": 1, "max_turns": 1},
    ],
    ids=lambda limit: str(limit["limit"]),
)
def test_limits(limit: dict[str, object]) -> None:
    """A limit is read as the outcome that it is, without the note that the server adds for people."""
    outcome = "budget" if "budget" in limit else "max_turns"
    event = RunCompleted(outcome=outcome, usage=USED, cost=0.5, turns=1, limit=limit)
    assert read(Frames(), event) == [event]


def test_nonces() -> None:
    """What an answer to a question needs is kept by its call."""
    frames = Frames()
    read(frames, InputRequested(id="wait", kind="client_tool", call_id="c", name="t", args={}, expires_at=9.0))
    assert frames.nonces == {"c": SEAL.nonce("wait")}


def test_turns() -> None:
    """A turn is counted by the first of its calls, and the answer as one more."""
    frames = Frames()
    for index in (0, 1, 0):
        read(frames, ToolStarted(call_id="c", name="t", args={}, index=index))
    (end,) = read(frames, RunCompleted(outcome="success", usage=USED, cost=0.0, turns=0))
    assert isinstance(end, RunCompleted)
    assert end.turns == 3


def test_heartbeat() -> None:
    """A heartbeat is no event."""
    assert Frames().read({"type": "heartbeat", "timestamp": 1}) is None


@pytest.mark.parametrize(
    "frame", [{}, {"type": 1}, [], {"type": "text_delta"}, {"type": "stream_retry", "attempt": "x"}]
)
def test_unreadable(frame: object) -> None:
    """A frame that is not as the API has it is an error that the caller can tell."""
    with pytest.raises(ValueError, match="frame"):
        Frames().read(frame)  # type: ignore[arg-type]
