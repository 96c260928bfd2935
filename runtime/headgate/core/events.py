"""What a run tells the world.

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
WaitKind = Literal["approval", "client_tool", "input", "unknown_outcome"]
WaitState = Literal["pending", "approved", "denied", "answered", "expired", "cancelled"]

EventId = tuple[int, int]
"""Fence and number; compares in the order of the run's log."""

ENDED: frozenset[RunState] = frozenset({"completed", "failed", "cancelled"})
"""The states that a run never leaves."""


class Event(msgspec.Struct, tag_field="event", kw_only=True):
    """Common members: `n` and `fence` are set by the recorder, `at` is epoch seconds, `step` counts from 1.

    `path` names the agents between the run and who speaks, outermost first; empty for the run's own agent.
    """

    run: str = ""
    step: int = 0
    at: float = 0.0
    fence: int = 0
    n: int = 0
    path: tuple[str, ...] = ()

    @property
    def key(self) -> EventId:
        """The id as a pair that compares."""
        return self.fence, self.n

    @property
    def id(self) -> str:
        """The id on the wire, `<fence>-<n>`."""
        return f"{self.fence}-{self.n}"


def parse_event_id(text: str) -> EventId | None:
    """The pair of an id on the wire, or None when it is not one."""
    fence, dash, n = text.strip().partition("-")
    if not dash or not (fence.isascii() and fence.isdigit() and n.isascii() and n.isdigit()) or len(text) > 40:
        return None
    return int(fence), int(n)


class RunStarted(Event, tag="run.started"):
    """The run is committed and its task has begun."""

    agent: str
    revision: str
    model: str


class RunResumed(Event, tag="run.resumed"):
    """The run goes on in a new task, from its last committed step: `reason` is `answered` after a wait, `recovered`
    after its process went away or its store could not be written."""

    agent: str
    revision: str
    model: str
    reason: Literal["answered", "recovered"]


class Pending(msgspec.Struct, frozen=True):
    """One thing that a run waits for; `expires_at` is in epoch seconds."""

    id: str
    kind: WaitKind
    call_id: str
    name: str
    expires_at: float


class RunWaiting(Event, tag="run.waiting"):
    """Nothing is going on until somebody answers; the run holds no process meanwhile."""

    waits: tuple[Pending, ...]


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


class MessageCompleted(Event, tag="message.completed", kw_only=True):
    """The model's turn is whole and committed; `thinking` is all that it was heard to think."""

    text: str
    thinking: str = ""
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


class ApprovalRequested(Event, tag="approval.requested"):
    """A call waits for a person. `shown` is what people are shown of the arguments: label and value."""

    id: str
    call_id: str
    name: str
    args: dict[str, Any]
    args_hash: str
    policy: str
    expires_at: float
    approvers: tuple[str, ...] = ()
    quorum: int = 1
    qualifier: str | None = None
    shown: tuple[dict[str, Any], ...] = ()


class ApprovalResolved(Event, tag="approval.resolved"):
    """The question is settled; `by` is the key that settled it, empty when nobody did. `edited_args` are what was
    approved instead of what was asked about; `args_hash` is that of the arguments that the answer is bound to."""

    id: str
    call_id: str
    name: str
    state: WaitState
    by: str = ""
    reason: str = ""
    edited_args: dict[str, Any] | None = None
    args_hash: str = ""


class InputRequested(Event, tag="input.requested"):
    """A call waits for something else than an approval: for its result from the caller's front end (`client_tool`), for
    a person who knows what became of a call that was cut off (`unknown_outcome`: retry, done or failed), or for what
    its MCP server asks a person (`input`).

    Of an `input`, `server` says `message` and wants the values of the form `schema`, or has an address to be visited,
    `url`; all text of these is the server's own.
    """

    id: str
    kind: WaitKind
    call_id: str
    name: str
    args: dict[str, Any]
    expires_at: float
    server: str | None = None
    message: str = ""
    schema: dict[str, Any] | None = None
    url: str | None = None


class InputResolved(Event, tag="input.resolved"):
    """A question of kind `input` is settled; `action` is what the server is told, and `by` the key that settled it,
    both empty when nobody did. What was entered is not told. `reason` says why a question is void."""

    id: str
    call_id: str
    name: str
    state: WaitState
    action: str = ""
    by: str = ""
    reason: str = ""


class PolicyDecided(Event, tag="policy.decided"):
    """An interceptor found something. `call_id` and `name` are empty for a model turn; with `mode` other than `enforce`
    nothing came of it."""

    policy: str
    action: str
    code: str
    message: str
    mode: str
    call_id: str = ""
    name: str = ""


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


Delta = TextDelta | ThinkingDelta
AnyEvent = (
    RunStarted
    | RunResumed
    | RunWaiting
    | AttemptStarted
    | TextDelta
    | ThinkingDelta
    | MessageCompleted
    | ToolStarted
    | ToolOutput
    | ToolCompleted
    | ApprovalRequested
    | ApprovalResolved
    | InputRequested
    | InputResolved
    | PolicyDecided
    | Custom
    | RunCompleted
    | RunFailed
    | RunCancelled
)
