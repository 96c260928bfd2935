"""What the ledger keeps (D1, D2, D7), as immutable records, and the port that every back-end of it fulfils.

Times are epoch seconds, costs US dollars. Text comes back as it was written, except that lone surrogates and NUL
characters, which no database takes, become U+FFFD.
"""

from __future__ import annotations

import secrets
from typing import Any, Literal, Protocol

import msgspec

from headgate.core.events import Outcome, RunState
from headgate.core.messages import ErrorInfo, Message, ResultStatus, ToolResult, Usage

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
    """

    id: str
    principal: str
    key_digest: str
    agent: str
    created_at: float
    expires_at: float
    head_run: str | None = None
    state: SessionState = "open"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has used and said so far: totals since its start, not what one step added.

    `answer` is all the text that the client was sent, by which an exchange is recognised when it is posted back.
    """

    turns: int = 0
    usage: Usage = Usage()
    cost: float = 0.0
    answer: str = ""


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One model turn or one tool call; `n` counts from 1 within the run and names the step for good."""

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


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run to begin: `messages` are those that the client posted for it, `prior_run` the run that it continues."""

    id: str
    agent: str
    principal: str
    team: str
    revision: str
    model: str
    created_at: float
    messages: tuple[Message, ...] = ()
    session_id: str | None = None
    prior_run: str | None = None
    channel: str | None = None


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the ledger knows it; `fence` counts its owners, and only the newest may write."""

    id: str
    session_id: str | None
    prior_run: str | None
    agent: str
    principal: str
    team: str
    revision: str
    model: str
    channel: str | None
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
    created_at: float
    started_at: float | None
    ended_at: float | None


class StepCommit(msgspec.Struct, frozen=True, kw_only=True):
    """Steps that are done, the messages they produced in order, and the run's progress after them."""

    run_id: str
    fence: int
    progress: Progress
    steps: tuple[StepRecord, ...] = ()
    messages: tuple[Produced, ...] = ()


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


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a conversation: the messages it began with, those it produced, and the answer that was streamed."""

    run_id: str
    answer: str
    state: RunState
    posted: tuple[Message, ...]
    produced: tuple[Message, ...]


class Ledger(Protocol):
    """The durable record of sessions, runs, steps and messages.

    Every method is one transaction: it is kept whole or not at all. All of them raise `StoreError`, with the code
    `store_locked`, `store_full`, `store_readonly`, `store_conflict` (a row is there already, or one that is referred
    to is not), `store_closed` or `store_error`; the ledger works again as soon as the cause is gone. When the awaiting
    task is cancelled the transaction is still kept or dropped as a whole, and the caller cannot know which.
    """

    async def create_session(self, session: SessionRecord, /) -> None:
        """Keeps a new session."""
        ...

    async def session(self, session_id: str, /) -> SessionRecord | None:
        """The session, expired and closed ones too, or None."""
        ...

    async def count_sessions(self, principal: str, now: float, /) -> int:
        """How many open sessions of the principal have not expired."""
        ...

    async def sweep_sessions(self, now: float, /) -> int:
        """Deletes the expired sessions that never had a run; returns how many there were."""
        ...

    async def create_run(self, new: NewRun, /) -> None:
        """Begins a run, running and with fence 1, and makes it the head of its session if it has one."""
        ...

    async def conversation(self, session_id: str, /) -> tuple[Exchange, ...]:
        """The exchanges that lead to the session's head run, oldest first; empty for an unknown session."""
        ...

    async def commit_step(self, commit: StepCommit, /) -> None:
        """Keeps finished steps; raises `StoreError` with code `fenced` unless the run is running under this fence."""
        ...

    async def finish_run(self, end: RunEndRecord, /) -> None:
        """Ends a run, once; raises `StoreError` with code `fenced` unless the run is running under this fence."""
        ...

    async def run(self, run_id: str, /) -> RunRecord | None:
        """The run, or None."""
        ...

    async def steps(self, run_id: str, /) -> tuple[StepRecord, ...]:
        """The committed steps of a run, in order."""
        ...

    async def interrupt_runs(self, now: float, /) -> int:
        """Fails, with error code `interrupted`, the runs that a dead process left running; returns how many."""
        ...

    async def ping(self) -> None:
        """Returns when the ledger answers."""
        ...

    async def close(self) -> None:
        """Finishes what was asked before and releases everything; closing again does nothing."""
        ...
