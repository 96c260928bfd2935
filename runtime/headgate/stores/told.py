"""What is kept of a run's log."""

from __future__ import annotations

import msgspec

from headgate.core.events import Delta, Event
from headgate.stores.audit import AuditEntry
from headgate.stores.usage import TurnUsage


class Told(msgspec.Struct, frozen=True):
    """What a transaction adds to the log of a run, in the order of the ids.

    `deltas` are those of the turn whose `MessageCompleted` is among the events: the ledger keeps them in a shorter form
    beside it, and drops the rows that it kept of the turn. `audit` is what the audit log is to say of the transaction,
    `used` what model turns of the run have used since the one before.
    """

    events: tuple[Event, ...] = ()
    deltas: tuple[Delta, ...] = ()
    audit: tuple[AuditEntry, ...] = ()
    used: tuple[TurnUsage, ...] = ()


class Batch(msgspec.Struct, frozen=True):
    """Events of one run that are kept outside of a step, under its fence."""

    run_id: str
    fence: int
    events: tuple[Event, ...]
