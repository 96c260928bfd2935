"""How a run speaks: events are stamped, told to those who follow, and kept in the ledger.

What is told at once is kept a moment later by the flusher, or with the next transaction of the run, whichever comes
first. What belongs to a transaction is told when that is kept, and everything that came after it waits so long: the
ledger's order is the order in which the world hears it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from headgate.core.events import Delta, Event, TextDelta, ThinkingDelta
from headgate.engine.eventlog import EventLog
from headgate.engine.flusher import Flusher
from headgate.engine.unbroken import carry_out
from headgate.stores.audit import AuditEntry
from headgate.stores.told import Batch, Told
from headgate.stores.usage import TurnUsage

E = TypeVar("E", bound=Event)
D = TypeVar("D", TextDelta, ThinkingDelta)
_number = attrgetter("n")


class Teller:
    """The voice of one run under one fence."""

    def __init__(
        self, run_id: str, log: EventLog, fence: int, flusher: Flusher | None, clock: Callable[[], float] = time.time
    ) -> None:
        self.run_id = run_id
        self.fence = fence
        self.log = log
        self.clock = clock
        self._flusher = flusher
        self._n = 0
        self._unsaved: list[Event] = []
        self._away: list[int] = []
        self._folded: set[int] = set()
        self._notes: list[AuditEntry] = []
        self._owed: list[TurnUsage] = []
        self._touched = False

    def tell(self, event: E, step: int) -> E:
        """Tells an event, and has it kept soon."""
        self.log.append(self._stamped(event, step))
        self._unsaved.append(event)
        if not self._touched:
            self._touch()
        return event

    def note(self, entry: AuditEntry) -> None:
        """Has the audit log tell this with the next transaction of the run."""
        self._notes.append(entry)

    def owe(self, used: TurnUsage) -> None:
        """Has the usage ledger told this with the next transaction of the run."""
        self._owed.append(used)

    def say(self, kind: type[D], text: str, step: int) -> D:
        """Tells a delta: what `tell` does, but all at once, because there are thousands."""
        self._n = n = self._n + 1
        event = kind(text=text, run=self.run_id, step=step, at=self.clock(), fence=self.fence, n=n)
        self.log.append(event)
        self._unsaved.append(event)
        if not self._touched:
            self._touch()
        return event

    def _stamped(self, event: E, step: int) -> E:
        self._n += 1
        event.run, event.step, event.fence, event.n, event.at = self.run_id, step, self.fence, self._n, self.clock()
        return event

    async def keep(
        self, work: Callable[[Told], Coroutine[Any, Any, Any]], *events: tuple[Event, int],
        deltas: tuple[Delta, ...] = (), audit: tuple[AuditEntry, ...] = (),
    ) -> bool:  # fmt: skip
        """Runs one transaction, and then tells its events; what was told before and is not kept yet goes with it.

        `deltas` are those that one of the events stands for, `audit` is what the audit log tells of the transaction.
        Returns whether the caller was cancelled meanwhile; when nothing was kept nothing is told.
        """
        places = [self.log.hold(self._stamped(event, step)) for event, step in events]
        before = self._send()
        notes, self._notes = self._notes, []
        owed, self._owed = self._owed, []
        replaced = {delta.n for delta in deltas}
        rest = [event for event in before if event.n not in replaced] if replaced else before
        try:
            told = Told((*rest, *(event for event, _ in events)), deltas, (*notes, *audit), (*owed,))
            cancelled = await carry_out(work(told))
        except BaseException:
            self.log.let_go(*places, void=True)
            self._return(before)
            self._notes[:0] = notes
            self._owed[:0] = owed
            raise
        if self._away:
            self._folded |= replaced
        self._arrived(before)
        self.log.let_go(*places)
        if self.log.full and places:
            self._trim(events[-1][0].n)
        return cancelled

    def take(self) -> Batch | None:
        """See `Speaker.take`."""
        self._touched = False
        events = self._send()
        return Batch(self.run_id, self.fence, tuple(events)) if events else None

    def kept(self, batch: Batch) -> None:
        """See `Speaker.kept`."""
        self._arrived(batch.events)
        if self.log.full:
            self._trim(batch.events[-1].n)

    def give_back(self, batch: Batch) -> None:
        """See `Speaker.give_back`."""
        self._return(batch.events)
        if not self.log.ended:
            self._touch()

    def rest(self) -> None:
        """Nothing more is kept: the run has ended, or is somebody else's."""
        if self._flusher is not None:
            self._flusher.forget(self)

    def _send(self) -> list[Event]:
        """All that is not kept yet, which is on its way from now on."""
        events, self._unsaved = self._unsaved, []
        if events:
            self._away.append(events[0].n)
        return events

    def _arrived(self, events: Sequence[Event]) -> None:
        if events:
            self._away.remove(events[0].n)
            if not self._away:
                self._folded.clear()

    def _return(self, events: Sequence[Event]) -> None:
        """It could not be kept. A message that was kept meanwhile stands for its deltas, which are not kept again."""
        back = [event for event in events if event.n not in self._folded]
        self._arrived(events)
        self._unsaved = sorted([*back, *self._unsaved], key=_number)

    def _touch(self) -> None:
        if self._flusher is not None:
            self._touched = True
            self._flusher.touch(self)

    def _trim(self, newest: int) -> None:
        waiting = [event.n for event in self._unsaved[:1]] + self._away
        self.log.trim((self.fence, min([newest, *(n - 1 for n in waiting)])))
