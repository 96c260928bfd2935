"""What the ledger keeps of sessions, runs and steps, as immutable records.

Times are epoch seconds, costs US dollars. Text comes back as it was written, except that lone surrogates and NUL
characters, which no database takes, become U+FFFD. What a run waits for is in `waits`, the port in `port`.
"""

from __future__ import annotations

import secrets
from typing import Any, Literal

import msgspec

from headgate.core.events import Outcome, RunState
from headgate.core.messages import ErrorInfo, Message, ResultStatus, ToolResult, Usage
from headgate.stores.told import Told
from headgate.stores.waits import WaitRecord

SessionState = Literal["open", "closed"]
StepKind = Literal["model", "tool"]
EndState = Literal["completed", "failed", "cancelled"]


def new_session_id() -> str:
    """A fresh session id, `sess_<32 hex>`; it cannot be guessed."""
    return f"sess_{secrets.token_hex(16)}"


def new_run_id() -> str:
    """A fresh run id, `run_<32 hex>`; it cannot be guessed."""
    return f"run_{secrets.token_hex(16)}"


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A principal's conversation: the chain of `prior_run` links that begins at `head_run`.

    `principal` is the name of the key that owns it, `key_digest` the digest of that key when the session was made.
    `expires_at` is when its token ends. `updated_at` is when its newest run began, `parent` the session that it was
    forked from.
    """

    id: str
    principal: str
    key_digest: str
    agent: str
    created_at: float
    expires_at: float
    head_run: str | None = None
    state: SessionState = "open"
    updated_at: float = 0.0
    parent: str | None = None


class SessionSummary(msgspec.Struct, frozen=True):
    """A session and how much was said in it: its own runs, and their messages."""

    session: SessionRecord
    runs: int
    messages: int


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has used and said so far: totals since its start, not what one step added.

    `answer` is all the text that the client was sent, by which an exchange is recognised when it is posted back.
    `elapsed` is in seconds, and does not count what the run waited for people.
    """

    turns: int = 0
    usage: Usage = Usage()
    cost: float = 0.0
    answer: str = ""
    elapsed: float = 0.0


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One model turn or one tool call; `n` counts from 1 within the run and names the step for good.

    The calls of a turn have the numbers after that of the turn, in the model's order.
    """

    n: int
    kind: StepKind
    name: str
    started_at: float
    ended_at: float
    status: ResultStatus = "ok"
    call_id: str | None = None
    args: dict[str, Any] | None = None
    result: ToolResult | None = None
    usage: Usage | None = None
    cost: float = 0.0


class Produced(msgspec.Struct, frozen=True):
    """A message that a run made, and the step that made it."""

    message: Message
    step: int


class RunRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the caller wanted the run to be shaped: what is needed beside the messages to go on with it elsewhere.

    `timeout` is in seconds. `tainted` are the sources that earlier runs of the session had read from, whether or not
    the messages still show it.
    """

    model: str | None = None
    profile: str | None = None
    input: dict[str, Any] = {}
    timeout: float | None = None
    tainted: tuple[str, ...] = ()


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run to begin: `messages` are those that the client posted for it, `prior_run` the run that it continues."""

    id: str
    agent: str
    principal: str
    key_digest: str
    team: str
    revision: str
    model: str
    created_at: float
    messages: tuple[Message, ...] = ()
    session_id: str | None = None
    prior_run: str | None = None
    channel: str | None = None
    request: RunRequest = RunRequest()


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the ledger knows it; `fence` counts its owners, and only the newest may write.

    A `queued` run waits to be claimed, a `waiting` one for an answer; neither has an owner. A `running` one whose lease
    is over, or that has none, is one that its owner left.
    """

    id: str
    session_id: str | None
    prior_run: str | None
    agent: str
    principal: str
    key_digest: str
    team: str
    revision: str
    model: str
    channel: str | None
    request: RunRequest
    state: RunState
    outcome: Outcome | None
    error: ErrorInfo | None
    fence: int
    lease_owner: str | None
    lease_until: float | None
    turns: int
    usage: Usage
    cost: float
    answer: str
    elapsed: float
    created_at: float
    started_at: float | None
    ended_at: float | None


class Lease(msgspec.Struct, frozen=True):
    """Who owns a run, and for how many seconds from now, on the database's clock."""

    owner: str
    seconds: float


class StepCommit(msgspec.Struct, frozen=True, kw_only=True):
    """Steps that are done, the messages they produced in order, the run's progress after them, and what was told.

    `forget` are steps for whose calls somebody has entered something, which is not kept any longer.
    """

    run_id: str
    fence: int
    progress: Progress
    steps: tuple[StepRecord, ...] = ()
    messages: tuple[Produced, ...] = ()
    forget: tuple[int, ...] = ()
    told: Told = Told()


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call that is about to begin and must not be made twice: kept until its step is."""

    run_id: str
    fence: int
    step: int
    call_id: str
    tool: str
    at: float
    told: Told = Told()


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A run that gives its lease back because it can only wait; `waits` are the ids of those that it knows pending."""

    run_id: str
    fence: int
    progress: Progress
    waits: tuple[str, ...]
    told: Told = Told()


class RunEndRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended, with the last steps and messages if they are not committed yet."""

    run_id: str
    fence: int
    state: EndState
    outcome: Outcome
    ended_at: float
    progress: Progress
    error: ErrorInfo | None = None
    steps: tuple[StepRecord, ...] = ()
    messages: tuple[Produced, ...] = ()
    told: Told = Told()


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a conversation: the messages it began with, those it produced, and the answer that was streamed.

    `tainted` is that of its `RunRequest`.
    """

    run_id: str
    answer: str
    state: RunState
    posted: tuple[Message, ...]
    produced: tuple[Message, ...]
    tainted: tuple[str, ...] = ()


class Resumption(msgspec.Struct, frozen=True, kw_only=True):
    """All that is needed to go on with a run: `conversation` ends with the run itself.

    `steps` are its committed steps from the newest model turn on. `begun` has the time of the newest intent of each
    step that has one and no record, `started` are those whose `tool.started` is in the log; both from the newest model
    turn on. `resolved` are the waits whose `approval.resolved` is in the log, `waits` all that the run ever waited for.
    """

    run: RunRecord
    conversation: tuple[Exchange, ...]
    steps: tuple[StepRecord, ...] = ()
    begun: dict[int, float] = {}
    started: frozenset[int] = frozenset()
    resolved: frozenset[str] = frozenset()
    waits: tuple[WaitRecord, ...] = ()


Cursor = tuple[float, str]
"""`created_at` and id of the last record of a page: the next one begins behind it, newest first."""


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are listed; None does not matter."""

    principal: str | None = None
    agent: str | None = None
    session_id: str | None = None
    state: RunState | None = None
    after: Cursor | None = None
    limit: int = 50


class SessionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions are listed; None does not matter."""

    principal: str | None = None
    agent: str | None = None
    state: SessionState | None = None
    after: Cursor | None = None
    limit: int = 50
