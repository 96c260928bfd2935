"""The native dialect as its bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.core.events import (
    ApprovalRequested,
    AttemptStarted,
    Event,
    InputRequested,
    MessageCompleted,
    RunFailed,
    TextDelta,
    ThinkingDelta,
    ToolCompleted,
)
from headgate.core.messages import ErrorInfo, Image, Text, ToolResult, Usage
from headgate.server.native_frames import Frames, alive, broken
from headgate.server.seal import Seal
from headgate.server.wire import dump

SEAL = Seal(lambda: "the secret of this test")
COMMON: dict[str, Any] = {"run": "run_1", "step": 2, "at": 1795754302.25, "fence": 3, "n": 14}
ASKED = {"id": "wait_1", "call_id": "c1", "name": "add", "args": {"a": 1}, "expires_at": 9.5}


def parsed(frame: bytes) -> tuple[str, str, dict[str, Any]]:
    """Id, type and data of a frame."""
    first, second, third, *rest = frame.decode().split("\n")
    assert rest == ["", ""]
    return first.removeprefix("id: "), second.removeprefix("event: "), json.loads(third.removeprefix("data: "))


def test_a_delta() -> None:
    """The frame of a delta, which is put together by hand, is that of any other event."""
    frame = Frames(None).encode(TextDelta(text='a "b"\né\ud800', **COMMON))
    assert frame == (
        b'id: 3-14\nevent: text.delta\ndata: {"run":"run_1","step":2,"path":[],"at":1795754302.25,'
        b'"text":"a \\"b\\"\\n\xc3\xa9?"}\n\n'
    )


@pytest.mark.parametrize("kind", [TextDelta, ThinkingDelta])
def test_deltas_are_like_all_events(kind: type[TextDelta | ThinkingDelta]) -> None:
    """By hand or not, the members and their order are the same, and so are those of an agent further down."""
    event = kind(text="word", **COMMON)
    assert Frames(None).encode(event).split(b"data: ")[1] == dump(Frames(None).members(event)) + b"\n\n"
    below = kind(text="word", path=("helper",), **COMMON)
    assert parsed(Frames(None).encode(below))[2]["path"] == ["helper"]


EVENTS: list[tuple[Event, str, dict[str, Any]]] = [
    (
        ToolCompleted(call_id="c1", name="add", result=ToolResult(structured={"x": 1}), duration_ms=3, **COMMON),
        "tool.completed",
        {"result": {"status": "ok", "content": [], "structured": {"x": 1}, "error": None}, "server": None},
    ),
    (
        ToolCompleted(
            call_id="c1", name="see", result=ToolResult(content=(Text("a"), Image("image/png", b"\x00"))),
            duration_ms=3, **COMMON,
        ),
        "tool.completed",
        {"duration_ms": 3},
    ),
    (
        MessageCompleted(text="hi", usage=Usage(input=1), model="m", **COMMON),
        "message.completed",
        {"usage": {"input": 1, "output": 0, "cache_write": 0, "cache_write_1h": 0, "cache_read": 0, "reasoning": 0}},
    ),
    (
        AttemptStarted(attempt=1, reason=ErrorInfo("c", "m"), delay=0.5, model="m", **COMMON),
        "attempt.started",
        {"reason": {"code": "c", "message": "m", "retryable": False}},
    ),
    (
        RunFailed(outcome="error", usage=Usage(), cost=0.0, turns=1, error=ErrorInfo("c", "m", True), **COMMON),
        "run.failed",
        {"error": {"code": "c", "message": "m", "retryable": True}, "limit": {}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("event", "kind", "members"), EVENTS)
def test_members(event: Event, kind: str, members: dict[str, Any]) -> None:
    """Every member is there, also those that have no value, and none that is in the frame's head."""
    identity, name, data = parsed(Frames(None).encode(event))
    assert (identity, name) == ("3-14", kind)
    assert members.items() <= data.items()
    assert {"run", "step", "path", "at"} <= data.keys()
    assert not {"fence", "n", "event"} & data.keys()


def test_images_are_base64() -> None:
    """Bytes within a result travel as base64."""
    assert parsed(Frames(None).encode(EVENTS[1][0]))[2]["result"]["content"] == [
        {"type": "text", "text": "a"},
        {"type": "image", "media_type": "image/png", "data": "AA=="},
    ]


QUESTIONS = [
    ApprovalRequested(args_hash="h", policy="gate", **ASKED, **COMMON),
    InputRequested(kind="client_tool", **ASKED, **COMMON),
]


@pytest.mark.parametrize("event", QUESTIONS)
def test_nonces(event: Event) -> None:
    """Only the frames for the run's own key hold the nonce of a question."""
    assert "nonce" not in parsed(Frames(None).encode(event))[2]
    assert parsed(Frames(SEAL).encode(event))[2]["nonce"] == SEAL.nonce("wait_1")
    assert parsed(Frames(SEAL).encode(event))[2]["id"] == "wait_1"


def test_comments() -> None:
    """What is no event is one line that clients pass over."""
    assert alive() == b": alive\n\n"
    assert broken(ErrorInfo("stopping", "it\nstops")) == b": stopping: it stops\n\n"
