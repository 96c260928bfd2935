"""What is kept of a run's log (D6)."""

from __future__ import annotations

import msgspec

from headgate.core.events import Delta, Event


class Told(msgspec.Struct, frozen=True):
    """What a transaction adds to the log of a run, in the order of the ids.

    `deltas` are those of the turn whose `MessageCompleted` is among the events: the ledger keeps them in a shorter form
    beside it, and drops the rows that it kept of the turn.
    """

    events: tuple[Event, ...] = ()
    deltas: tuple[Delta, ...] = ()


class Batch(msgspec.Struct, frozen=True):
    """Events of one run that are kept outside of a step, under its fence."""

    run_id: str
    fence: int
    events: tuple[Event, ...]
