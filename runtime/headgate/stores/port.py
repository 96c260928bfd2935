"""The port that every back-end of the ledger fulfils, in parts: sessions, runs, ownership, waits, documents,
credentials, audit and usage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from headgate.core.events import Event, EventId, RunState
from headgate.stores.audit import AuditEntry, AuditFilter, AuditPage, AuditRecord, Ends
from headgate.stores.credentials import CredentialLedger
from headgate.stores.documents import DocumentLedger
from headgate.stores.records import (
    Exchange,
    Intent,
    Lease,
    NewRun,
    Parked,
    Resumption,
    RunEndRecord,
    RunFilter,
    RunRecord,
    SessionFilter,
    SessionRecord,
    SessionSummary,
    StepCommit,
    StepRecord,
)
from headgate.stores.sweep import Cutoffs, Swept
from headgate.stores.told import Batch, Told
from headgate.stores.usage import Scope, Spent, UsageFilter, UsageSum
from headgate.stores.waits import Answer, Grant, Opened, WaitFilter, WaitRecord


class SessionLedger(Protocol):
    """Conversations."""

    async def create_session(self, session: SessionRecord, /) -> None:
        """Keeps a new session."""
        ...

    async def session(self, session_id: str, /) -> SessionRecord | None:
        """The session, expired and closed ones too, or None."""
        ...

    async def sessions(self, wanted: SessionFilter, /) -> tuple[SessionSummary, ...]:
        """The sessions that fit, newest first."""
        ...

    async def count_sessions(self, principal: str, now: float, /) -> int:
        """How many open sessions of the principal have not expired."""
        ...

    async def sweep_sessions(self, now: float, /) -> int:
        """Deletes the expired sessions that never had a run; returns how many there were."""
        ...

    async def close_session(self, session_id: str, /) -> bool:
        """Closes an open session for good; returns whether it was open."""
        ...

    async def delete_session(self, session_id: str, /) -> bool:
        """Deletes a session with its runs, but for those that a fork of it stands on; whether there was one.

        Raises `StoreError` with the code `store_conflict` while one of its runs has not ended.
        """
        ...

    async def conversation(self, session_id: str, /) -> tuple[Exchange, ...]:
        """The exchanges that lead to the session's head run, oldest first; empty for an unknown session."""
        ...


class RunLedger(Protocol):
    """Runs, their steps and their logs. What a transaction tells, its `told.audit` too, is kept with it or not at all,
    and so is the usage of a model turn. Writing raises `StoreError` with the code `fenced` unless the run is running
    under the fence that is given."""

    async def create_run(self, new: NewRun, lease: Lease, told: Told, /) -> None:
        """Begins a run, running with fence 1 under the lease, and makes it the head of its session if it has one.

        Raises `StoreError` with the code `store_conflict` when the session is closed or does not exist.
        """
        ...

    async def run(self, run_id: str, /) -> RunRecord | None:
        """The run, or None."""
        ...

    async def runs(self, wanted: RunFilter, /) -> tuple[RunRecord, ...]:
        """The runs that fit, newest first."""
        ...

    async def steps(self, run_id: str, /) -> tuple[StepRecord, ...]:
        """The committed steps of a run, in order."""
        ...

    async def load(self, run_id: str, /) -> Resumption | None:
        """All that is needed to go on with the run, or None when there is no such run."""
        ...

    async def events(self, run_id: str, after: EventId, limit: int, /) -> tuple[Event, ...]:
        """The events of the run's log behind the id, in order, at most about `limit` of them, and none only at the end.

        Every delta comes back as it was told, also when its message is committed, but for its time: that is the time of
        the first of those that were kept with it.
        """
        ...

    async def commit_step(self, commit: StepCommit, /) -> None:
        """Keeps finished steps, and drops their intents."""
        ...

    async def begin_call(self, intent: Intent, /) -> None:
        """Keeps the intent to make a call; one that the step has already is replaced."""
        ...

    async def append_events(self, batches: Sequence[Batch], /) -> None:
        """Adds to the logs of several runs in one transaction; what is not under the run's fence is left out."""
        ...

    async def finish_run(self, end: RunEndRecord, /) -> None:
        """Ends a run, once, and cancels what it waited for."""
        ...


class WorkLedger(Protocol):
    """Who owns which run. Leases are on the database's clock."""

    async def claim(self, lease: Lease, limit: int, /) -> tuple[RunRecord, ...]:
        """Makes the owner of the lease that of at most `limit` runs which are queued, or running without an owner or
        with one whose lease is over and who is somebody else; each has a new fence. Oldest first."""
        ...

    async def claim_run(self, run_id: str, lease: Lease, /) -> RunRecord | None:
        """The same for one run, also when it waits or when the claimer's own lease of it has not ended; None when the
        run has ended, does not exist, or is somebody else's."""
        ...

    async def renew(self, lease: Lease, /) -> int:
        """Prolongs the leases of all running runs of the owner; returns how many there were."""
        ...

    async def release(self, run_id: str, fence: int, /) -> None:
        """Leaves a running run to whoever claims it next; does nothing under another fence."""
        ...

    async def release_all(self) -> int:
        """Takes every running run from its owner, who must be dead: for the sole user of a store. Returns how many."""
        ...

    async def park(self, parked: Parked, /) -> RunState:
        """The run gives its lease back: `waiting`, or `queued` when one of `parked.waits` is not pending any more.

        Raises `StoreError` with the code `fenced` as writing does.
        """
        ...


class WaitLedger(Protocol):
    """What runs wait for."""

    async def open_wait(self, opened: Opened, /) -> None:
        """Keeps a new wait with the events that tell it; raises `StoreError` with the code `fenced` as writing does."""
        ...

    async def wait(self, wait_id: str, /) -> WaitRecord | None:
        """The wait, or None."""
        ...

    async def waits(self, wanted: WaitFilter, /) -> tuple[WaitRecord, ...]:
        """The waits that fit, newest first."""
        ...

    async def count_waits(self) -> int:
        """How many are pending."""
        ...

    async def answer(self, answer: Answer, /) -> WaitRecord | None:
        """Settles a wait that is pending and not expired at `answer.at`, keeps the grant, and queues its run if that
        was waiting, whatever else it waits for; None when the wait is settled already, or has another revision than
        `answer.revision`. An answer of the state `pending` keeps its votes, and the run waits on."""
        ...

    async def expire_waits(self, now: float, limit: int, /) -> int:
        """Settles at most `limit` pending waits whose time is over, as expired, and queues runs as `answer` does.
        How many there were."""
        ...

    async def next_expiry(self) -> float | None:
        """When the next pending wait expires, in epoch seconds, or None."""
        ...

    async def grants(self, session_id: str, /) -> tuple[Grant, ...]:
        """What is remembered for the session."""
        ...

    async def revoke_grants(self, session_id: str, tool: str | None = None, audit: Sequence[AuditEntry] = (), /) -> int:
        """Forgets what is remembered for the session, of one tool or of all; how many there were. `audit` is kept with
        it."""
        ...


class RecordsLedger(Protocol):
    """The audit log: one chain of records, however many write to it."""

    async def append_audit(self, entries: Sequence[AuditEntry], /) -> None:
        """Adds records for what is told in no other transaction, in this order."""
        ...

    async def audit(self, wanted: AuditFilter, /) -> AuditPage:
        """The records that fit, newest first."""
        ...

    async def audit_chain(self, after: int, limit: int, /) -> tuple[AuditRecord, ...]:
        """The records with greater numbers, oldest first."""
        ...

    async def audit_place(self, at: float, /) -> int:
        """A number behind which all records since `at` stand, and few that are older."""
        ...

    async def audit_ends(self) -> Ends:
        """Where the chain begins and ends; without a record the head is the anchor."""
        ...


class AccountsLedger(Protocol):
    """What model turns used. A turn is kept with its step, and outlives its run."""

    async def usage(self, wanted: UsageFilter, /) -> tuple[UsageSum, ...]:
        """The sums, in the order of their names; without a group exactly one. Turns that are kept meanwhile may be
        missing."""
        ...

    async def spent(
        self, scope: Scope, since: float, until: float, slot: int, other: str | None = None, /
    ) -> tuple[Spent, ...]:
        """What each key, team or session used between these times, to the minute, in each slot of so many minutes; in
        all processes, or in those `other` than this one."""
        ...


class Ledger(
    SessionLedger, RunLedger, WorkLedger, WaitLedger, DocumentLedger, CredentialLedger, RecordsLedger, AccountsLedger,
    Protocol,
):  # fmt: skip
    """The durable record of sessions, runs, steps, messages, logs and waits, of who did what, of what it cost, of what
    was declared through the API, and of what people granted.

    Every method that writes, but `sweep`, is one transaction: it is kept whole or not at all. All methods raise
    `StoreError`, with the code `store_locked`, `store_full`, `store_readonly`, `store_conflict` (a row is there
    already, or one that is referred to is not), `store_closed` or `store_error`; the ledger works again as soon as the
    cause is gone. When the awaiting task is cancelled the transaction is still kept or dropped as a whole, and the
    caller cannot know which.
    """

    async def sweep(self, cutoffs: Cutoffs, limit: int, /) -> Swept:
        """Deletes what is older than the cutoffs, about `limit` rows of each kind at most; ended runs only.

        Of the audit log the anchor keeps the last record that went, and a new one tells of it; the newest never goes.
        A run that another one stands on, or that is the head of another session, stays as long as that does. `more`
        says that another sweep would find something.
        """
        ...

    async def size(self) -> int:
        """Bytes that the ledger takes on disk; 0 where there is no disk."""
        ...

    async def backup(self, path: Path, /) -> None:
        """Writes a copy of the whole ledger, as it is at one moment, to a new file while work goes on.

        Raises `StoreError` with the code `store_conflict` when the file exists, `store_unsupported` where the database
        has tools of its own for this.
        """
        ...

    async def ping(self) -> None:
        """Returns when the ledger answers."""
        ...

    async def close(self) -> None:
        """Finishes what was asked before and releases everything; closing again does nothing."""
        ...
