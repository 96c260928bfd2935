"""What a run tells the world (D6).

Native events are the one language of a run; every wire dialect is a mapping from them. An event's id is
`<fence>-<n>`: the fence counts the owners of the run, `n` the events of one owner, so ids sort and never repeat.
Exactly one terminal event ends a run.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from headgate.core.messages import ErrorInfo, ToolResult, Usage

Outcome = Literal["success", "error", "budget", "max_turns", "timeout", "cancelled", "revoked"]
RunState = Literal["queued", "running", "waiting", "completed", "failed", "cancelled"]


class Event(msgspec.Struct, tag_field="event", kw_only=True):
    """Common members: `n` and `fence` are set by the recorder, `at` is epoch seconds, `step` counts from 1."""

    run: str = ""
    step: int = 0
    at: float = 0.0
    fence: int = 0
    n: int = 0

    @property
    def id(self) -> str:
        """The id on the wire, `<fence>-<n>`."""
        return f"{self.fence}-{self.n}"


class RunStarted(Event, tag="run.started"):
    """The run is committed and its task has begun."""

    agent: str
    revision: str
    model: str


class AttemptStarted(Event, tag="attempt.started"):
    """The provider turn is made again: text and thinking already sent for this turn must be discarded."""

    attempt: int
    reason: ErrorInfo
    delay: float
    model: str


class TextDelta(Event, tag="text.delta"):
    """A piece of the answer."""

    text: str


class ThinkingDelta(Event, tag="thinking.delta"):
    """A piece of the model's thinking."""

    text: str


class MessageCompleted(Event, tag="message.completed"):
    """The model's turn is whole and committed."""

    text: str
    usage: Usage
    model: str


class ToolStarted(Event, tag="tool.started"):
    """A call is about to run; `index` is its place among the calls of its turn."""

    call_id: str
    name: str
    args: dict[str, Any]
    index: int
    location: str = "backend"


class ToolOutput(Event, tag="tool.output"):
    """A piece of a running tool's output."""

    call_id: str
    name: str
    stream: str
    text: str
    seq: int


class ToolCompleted(Event, tag="tool.completed"):
    """The call has its result; always once per start."""

    call_id: str
    name: str
    result: ToolResult
    duration_ms: int
    server: str | None = None


class Custom(Event, tag="custom"):
    """Something a tool said through `ctx.emit`; dialects pass it on as it is."""

    call_id: str
    name: str
    kind: str
    data: dict[str, Any]


class RunEnd(Event, kw_only=True):
    """What the terminal events share; `limit` says which limit ended the run and at what value."""

    outcome: Outcome
    usage: Usage
    cost: float
    turns: int
    limit: dict[str, Any] = {}


class RunCompleted(RunEnd, tag="run.completed"):
    """The run ended by itself or by a limit; `outcome` says which."""


class RunFailed(RunEnd, tag="run.failed"):
    """The run ended by an error."""

    error: ErrorInfo


class RunCancelled(RunEnd, tag="run.cancelled"):
    """The run was cancelled."""

    reason: str


AnyEvent = (
    RunStarted
    | AttemptStarted
    | TextDelta
    | ThinkingDelta
    | MessageCompleted
    | ToolStarted
    | ToolOutput
    | ToolCompleted
    | Custom
    | RunCompleted
    | RunFailed
    | RunCancelled
)
