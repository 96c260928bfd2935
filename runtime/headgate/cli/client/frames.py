"""Frames of the compatible chat API, read back as the run events that they came from.

The wire tells less than the events: where a member is not on it, the event holds its empty value. Unknown frames are
custom events, so that a server with more to say is still understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from headgate.core.events import (
    ApprovalRequested,
    AttemptStarted,
    Custom,
    Event,
    InputRequested,
    Outcome,
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

Frame = Mapping[str, Any]
_ENDED: Mapping[str, Outcome] = {"cancelled": "cancelled", "revoked": "revoked", "timeout": "timeout"}
_COUNTED = re.compile(r"\s*\[Budget limit reached: (\d+) >= (\d+) (tokens|turns|seconds)\]")


class Frames:
    """Reads the frames of one run, in order. `nonces` has what answers to its questions need, by their calls.

    A question has no id on the wire: that of its call stands for it. The number of turns is not there either: it is
    that of the turns that made calls, and one more for the answer.
    """

    def __init__(self) -> None:
        self.turns = 0
        self.nonces: dict[str, str] = {}
        self._outcome: Outcome = "success"
        self._limit: dict[str, Any] = {}

    def read(self, frame: Frame) -> Event | None:
        """The event, or None for a frame that tells nothing; raises `ValueError` when it cannot be read."""
        kind = frame.get("type") if isinstance(frame, dict) else None
        if not isinstance(kind, str):
            raise ValueError("a frame without a type")
        reader = _READERS.get(kind, _custom)
        try:
            return reader(self, frame)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"a frame {kind!r} that lacks a member or has a wrong one: {error}") from None

    def text(self, frame: Frame) -> Event | None:
        """A piece of the answer; after a limit it is the server's note about it, which is not the model's.

        Budgets that are not in USD have no frame of their own: the note is all there is.
        """
        text = str(frame["text"])
        spent = _COUNTED.fullmatch(text)
        if spent is not None:
            self._outcome = "budget"
            unit = spent[3]
            limit = "budget_time" if unit == "seconds" else f"budget_{unit}"
            self._limit = {"limit": limit, unit: int(spent[1]), "budget": int(spent[2])}
        return TextDelta(text=text) if self._outcome == "success" else None

    def started(self, frame: Frame) -> Event:
        """A call; the first of its turn counts the turn."""
        index = int(frame.get("call_index", 0))
        self.turns += index == 0
        return ToolStarted(
            call_id=str(frame["tool_call_id"]),
            name=str(frame["tool_name"]),
            args=dict(frame["tool_input"] or {}),
            index=index,
            location=str(frame.get("execution_location", "backend")),
        )

    def turns_reached(self, frame: Frame) -> None:
        """The run is about to end for its turns."""
        self._outcome, self.turns = "max_turns", int(frame["turn_count"]) - 1
        self._limit = {"limit": "max_turns", "turns": self.turns, "max_turns": int(frame["max_turns"])}

    def budget_exceeded(self, frame: Frame) -> None:
        """The run is about to end for its cost."""
        self._outcome = "budget"
        self._limit = {"limit": "budget_usd", "cost": float(frame["total_cost"]), "budget": float(frame["budget"])}

    def approval(self, frame: Frame) -> Event:
        """A call waits for a person."""
        call, qualifier = self._asked(frame), frame.get("resolved_qualifier")
        return ApprovalRequested(
            id=call,
            call_id=call,
            name=str(frame["tool_name"]),
            args=dict(frame["tool_input"] or {}),
            args_hash="",
            policy="",
            expires_at=float(frame["expires_at"]),
            qualifier=str(qualifier) if qualifier is not None else None,
        )

    def execute(self, frame: Frame) -> Event:
        """A call waits for a front end that executes it."""
        call = self._asked(frame)
        return InputRequested(
            id=call,
            kind="client_tool",
            call_id=call,
            name=str(frame["tool_name"]),
            args=dict(frame["tool_input"] or {}),
            expires_at=float(frame["expires_at"]),
        )

    def _asked(self, frame: Frame) -> str:
        call = str(frame["tool_call_id"])
        self.nonces[call] = str(frame["nonce"])
        return call

    def completed(self, frame: Frame) -> Event:
        """The end of a run that was not broken off."""
        told = frame.get("usage") or {}
        usage = Usage(
            input=int(told.get("input_tokens", 0)),
            output=int(told.get("output_tokens", 0)),
            cache_write=int(told.get("cache_creation_input_tokens", 0)),
            cache_read=int(told.get("cache_read_input_tokens", 0)),
        )
        self.turns += self._outcome != "max_turns"
        cost = float(told.get("estimated_cost", 0.0))
        return RunCompleted(outcome=self._outcome, usage=usage, cost=cost, turns=self.turns, limit=self._limit)

    def failed(self, frame: Frame) -> Event:
        """The end of a run that was broken off; the code says by what."""
        code, _, message = str(frame["error"]).partition(": ")
        ended = _ENDED.get(code)
        if ended is not None:
            return self.cancelled(message, ended)
        return self.lost(code, message, "timeout" if code == "run_timeout" else "error")

    def lost(self, code: str, message: str, outcome: Outcome = "error") -> RunFailed:
        """A failure; usage and cost are not known."""
        return RunFailed(outcome=outcome, usage=Usage(), cost=0.0, turns=self.turns, error=ErrorInfo(code, message))

    def cancelled(self, reason: str, outcome: Outcome) -> RunCancelled:
        """A run that somebody ended; usage and cost are not known."""
        return RunCancelled(outcome=outcome, usage=Usage(), cost=0.0, turns=self.turns, reason=reason)


def _thinking(_frames: Frames, frame: Frame) -> Event:
    return ThinkingDelta(text=str(frame["text"]))


def _retry(_frames: Frames, frame: Frame) -> Event:
    code, _, message = str(frame.get("error", "")).partition(": ")
    attempt = int(frame["attempt"]) + 1
    return AttemptStarted(attempt=attempt, reason=ErrorInfo(code, message, retryable=True), delay=0.0, model="")


def _output(_frames: Frames, frame: Frame) -> Event:
    return ToolOutput(
        call_id=str(frame["tool_call_id"]),
        name=str(frame["tool_name"]),
        stream=str(frame["stream"]),
        text=str(frame["text"]),
        seq=int(frame.get("seq", 0)),
    )


def _tool(_frames: Frames, frame: Frame) -> Event:
    failure = frame.get("error")
    if failure:
        error = ErrorInfo(str(failure["code"]), str(failure["message"]))
        result = ToolResult(status="error", error=error)
    else:
        result = ToolResult(structured=frame.get("result"))
    return ToolCompleted(
        call_id=str(frame["tool_call_id"]),
        name=str(frame["tool_name"]),
        result=result,
        duration_ms=int(frame.get("duration_ms", 0)),
        server=frame.get("server"),
    )


def _nothing(_frames: Frames, _frame: Frame) -> None:
    return None


def _custom(_frames: Frames, frame: Frame) -> Event:
    data = {name: value for name, value in frame.items() if name != "type"}
    return Custom(call_id="", name="", kind=str(frame["type"]), data=data)


_READERS: Mapping[str, Callable[[Frames, Frame], Event | None]] = {
    "heartbeat": _nothing,
    "text_delta": Frames.text,
    "thinking_delta": _thinking,
    "stream_retry": _retry,
    "tool_call_start": Frames.started,
    "tool_output_chunk": _output,
    "tool_call_complete": _tool,
    "tool_approval_request": Frames.approval,
    "tool_execute_request": Frames.execute,
    "max_turns_reached": Frames.turns_reached,
    "budget_exceeded": Frames.budget_exceeded,
    "stream_complete": Frames.completed,
    "error": Frames.failed,
}
