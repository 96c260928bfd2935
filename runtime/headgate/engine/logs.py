"""The logs of runs by their id: those of runs that are going on, and of others as long as somebody follows them."""

from __future__ import annotations

import weakref
from functools import partial

from headgate.core.errors import NotFound
from headgate.core.events import ENDED
from headgate.core.messages import ErrorInfo
from headgate.engine.eventlog import EventLog
from headgate.stores.port import Ledger
from headgate.stores.records import RunRecord

_LAST = 1 << 62
"""A number behind that of every event."""


class Logs:
    """Finds and makes logs; it keeps none of them alive."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held: weakref.WeakValueDictionary[str, EventLog] = weakref.WeakValueDictionary()
        self._over: ErrorInfo | None = None

    def fresh(self, run_id: str) -> EventLog:
        """The log of a run that begins here."""
        return self._keep(run_id, EventLog(partial(self._ledger.events, run_id)))

    def claimed(self, record: RunRecord) -> EventLog:
        """The log of a run that was claimed for this process; those who waited with it go on listening."""
        held = self._held.get(record.id)
        if held is not None and held.broken is None:
            return held
        return self._keep(record.id, EventLog(partial(self._ledger.events, record.id), floor=(record.fence, 0)))

    async def find(self, run_id: str) -> EventLog:
        """The log of any run, whoever is at work on it; raises `NotFound`."""
        held = self._held.get(run_id)
        if held is not None:
            return held
        record = await self._ledger.run(run_id)
        if record is None:
            raise NotFound(f"there is no run {run_id!r}", code="run_not_found")
        events = EventLog(
            partial(self._ledger.events, run_id), floor=(record.fence, _LAST), ended=record.state in ENDED
        )
        return self._held.get(run_id) or self._keep(run_id, events)  # it may have been claimed meanwhile

    def break_off(self, reason: ErrorInfo) -> None:
        """Nothing more is told here of any run; those who begin to listen get what there is, and the reason."""
        self._over = reason
        for events in list(self._held.values()):
            if not events.ended:
                events.break_off(reason)

    def _keep(self, run_id: str, events: EventLog) -> EventLog:
        if self._over is not None and not events.ended:
            events.break_off(self._over)
        self._held[run_id] = events
        return events
