"""Run events as frames of the compatible chat API: `data: <one line of JSON>`, told apart by `type`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from headgate.core.events import (
    ApprovalRequested,
    AttemptStarted,
    Custom,
    Event,
    InputRequested,
    PolicyDecided,
    RunCancelled,
    RunCompleted,
    RunFailed,
    TextDelta,
    ThinkingDelta,
    ToolCompleted,
    ToolOutput,
    ToolStarted,
)
from headgate.core.messages import ErrorInfo
from headgate.server.seal import Seal
from headgate.server.wire import dump

HEADERS: Mapping[str, str] = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-store, must-revalidate",
    "x-accel-buffering": "no",
    "connection": "keep-alive",
}
TURNS_NOTE = "\n\n[Sub-agent reached maximum turn limit]"
_BUDGET_NOTE = "\n\n[Budget limit reached: ${cost:.4f} >= ${budget:.4f}]"
_COUNT_NOTE = "\n\n[Budget limit reached: {used} >= {budget} {unit}]"
_NOTES = re.compile(
    r"\s*\[(?:Sub-agent reached maximum turn limit"
    r"|Budget limit reached: (?:\$[\d.]+ >= \$[\d.]+|\d+ >= \d+ tokens))\]\s*\Z"
)


def frame(kind: str, **members: Any) -> bytes:
    """One frame."""
    return b"data: " + dump({"type": kind, **members}) + b"\n\n"


def without_note(text: str) -> str:
    """An answer as the model gave it, without the note that a limit appended for people."""
    return _NOTES.sub("", text)


def heartbeat() -> bytes:
    """The keepalive frame."""
    return frame("heartbeat", timestamp=int(time.time()))


def error(code: str, message: str) -> bytes:
    """The terminal frame of a failure."""
    return frame("error", error=f"{code}: {message}")


def broken(reason: ErrorInfo) -> bytes:
    """The terminal frame of a stream that ends before its run does: this dialect cannot be resumed."""
    return error(reason.code, reason.message)


class Frames:
    """Encodes events; `seal` knows the nonces of questions."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def encode(self, event: Event) -> bytes:
        """The frames of one event; empty where the dialect has no word for it."""
        if type(event) is TextDelta:  # the hot path
            return b'data: {"type":"text_delta","text":' + dump(event.text) + b"}\n\n"
        encoder = ENCODERS.get(type(event))
        if encoder is not None:
            return encoder(event)
        match event:
            case ApprovalRequested():
                return self._approval(event)
            case InputRequested(kind="client_tool"):
                return self._execute(event)
        return b""

    def _approval(self, event: ApprovalRequested) -> bytes:
        return frame(
            "tool_approval_request",
            tool_call_id=event.call_id,
            nonce=self._seal.nonce(event.id),
            expires_at=int(event.expires_at),
            tool_name=event.name,
            tool_input=event.args,
            resolved_qualifier=event.qualifier,
        )

    def _execute(self, event: InputRequested) -> bytes:
        return frame(
            "tool_execute_request",
            tool_call_id=event.call_id,
            nonce=self._seal.nonce(event.id),
            expires_at=int(event.expires_at),
            tool_name=event.name,
            tool_input=event.args,
            display=None,
        )


def _thinking(event: ThinkingDelta) -> bytes:
    return b'data: {"type":"thinking_delta","text":' + dump(event.text) + b"}\n\n"


def _retry(event: AttemptStarted) -> bytes:
    return frame("stream_retry", attempt=event.attempt - 1, error=f"{event.reason.code}: {event.reason.message}")


def _tool_start(event: ToolStarted) -> bytes:
    return frame(
        "tool_call_start",
        tool_call_id=event.call_id,
        tool_name=event.name,
        tool_input=event.args,
        execution_location=event.location,
        call_index=event.index,
    )


def _tool_output(event: ToolOutput) -> bytes:
    return frame(
        "tool_output_chunk",
        tool_call_id=event.call_id,
        tool_name=event.name,
        stream=event.stream,
        text=event.text,
        seq=event.seq,
    )


def _tool_complete(event: ToolCompleted) -> bytes:
    failure = event.result.error
    return frame(
        "tool_call_complete",
        tool_call_id=event.call_id,
        tool_name=event.name,
        result=None if failure else event.result.payload,
        error={"code": failure.code, "message": failure.message} if failure else None,
        duration_ms=event.duration_ms,
        server=event.server,
    )


def _decided(event: PolicyDecided) -> bytes:
    if not event.call_id or event.action == "change":
        return b""
    return frame(
        "interceptor_decision",
        tool_call_id=event.call_id,
        tool_name=event.name,
        action="deny" if event.mode == "enforce" else "warn",
        code=event.code,
        message=event.message,
    )


def _custom(event: Custom) -> bytes:
    members = {key: value for key, value in event.data.items() if key != "type"}
    return frame(event.kind, **members)


def _completed(event: RunCompleted) -> bytes:
    return _limit(event) + frame("stream_complete", usage=_usage(event))


def _limit(event: RunCompleted) -> bytes:
    limit = event.limit
    if event.outcome == "max_turns":
        reached = frame("max_turns_reached", turn_count=limit["turns"] + 1, max_turns=limit["max_turns"])
        return reached + frame("text_delta", text=TURNS_NOTE)
    if event.outcome == "budget" and limit["limit"] != "budget_usd":  # `budget_exceeded` speaks of USD alone
        unit = next(each for each in ("tokens", "turns", "seconds") if each in limit)
        note = _COUNT_NOTE.format(used=int(limit[unit]), budget=int(limit["budget"]), unit=unit)
        return frame("text_delta", text=note)
    if event.outcome == "budget":
        note = _BUDGET_NOTE.format(cost=limit["cost"], budget=limit["budget"])
        exceeded = frame("budget_exceeded", total_cost=round(limit["cost"], 4), budget=limit["budget"])
        return exceeded + frame("text_delta", text=note)
    return b""


def _usage(event: RunCompleted) -> dict[str, Any]:
    usage = event.usage
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_creation_input_tokens": usage.cache_write + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "estimated_cost": round(float(event.cost), 4),
    }


def _failed(event: RunFailed) -> bytes:
    return error(event.error.code, event.error.message)


def _cancelled(event: RunCancelled) -> bytes:
    return error(event.outcome, event.reason)


ENCODERS: dict[type[Event], Callable[[Any], bytes]] = {
    ThinkingDelta: _thinking,
    AttemptStarted: _retry,
    ToolStarted: _tool_start,
    ToolOutput: _tool_output,
    ToolCompleted: _tool_complete,
    PolicyDecided: _decided,
    Custom: _custom,
    RunCompleted: _completed,
    RunFailed: _failed,
    RunCancelled: _cancelled,
}
"""How each type of event is told that needs no nonce; types that are not here have no word in this dialect."""
