"""Keeps what is told between two steps: the events of all runs that spoke, in one transaction every so often.

Nobody waits for it. What a crash takes is at most what was told since the last flush, and those who heard it are told
to discard that turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from headgate.core.errors import StoreError
from headgate.stores.port import Ledger
from headgate.stores.told import Batch

log = structlog.get_logger("headgate.flusher")

INTERVAL = 0.075
"""Seconds from the first event that is not kept to the flush."""
AGAIN = 1.0
"""Seconds until a flush that failed is tried again."""

_PASSING = frozenset({"store_locked", "store_full", "store_readonly", "store_closed"})
"""Why nothing can be kept now, whatever it is."""


class Speaker(Protocol):
    """Who has events to keep."""

    def take(self) -> Batch | None:
        """The events that are not kept yet, which are the taker's now."""
        ...

    def kept(self, batch: Batch) -> None:
        """They are kept."""
        ...

    def give_back(self, batch: Batch) -> None:
        """They could not be kept."""
        ...


class Flusher:
    """Collects from those that have something to keep."""

    def __init__(self, ledger: Ledger, interval: float = INTERVAL, again: float = AGAIN) -> None:
        self._ledger = ledger
        self._interval = interval
        self._again = again
        self._speakers: set[Speaker] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._working: asyncio.Task[None] | None = None

    def touch(self, speaker: Speaker) -> None:
        """The speaker has something to keep; it says so once, until it is asked."""
        self._speakers.add(speaker)
        self._arm(self._interval)

    def forget(self, speaker: Speaker) -> None:
        """The speaker has kept everything by itself."""
        self._speakers.discard(speaker)

    def _arm(self, delay: float) -> None:
        if self._timer is None and self._working is None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._working = asyncio.create_task(self.flush(), name="flush events")
        self._working.add_done_callback(self._done)

    def _done(self, _task: asyncio.Task[None]) -> None:
        self._working = None
        if self._speakers:
            self._arm(self._interval)

    async def flush(self) -> None:
        """Keeps what there is; a store that fails is asked again later."""
        speakers, self._speakers = list(self._speakers), set()
        taken = [(speaker, batch) for speaker in speakers if (batch := speaker.take()) is not None]
        if not taken:
            return
        try:
            await self._ledger.append_events([batch for _, batch in taken])
        except StoreError as error:
            log.warning("events.not_kept", code=error.code, message=error.message, runs=len(taken))
            if error.code in _PASSING:
                for speaker, batch in taken:
                    speaker.give_back(batch)
                await asyncio.sleep(self._again)
            else:
                await self._apart(taken)
            return
        for speaker, batch in taken:
            speaker.kept(batch)

    async def _apart(self, taken: Sequence[tuple[Speaker, Batch]]) -> None:
        """Keeps each by itself, so that events which no store takes do not stand in the way of those of other runs."""
        for speaker, batch in taken:
            try:
                await self._ledger.append_events([batch])
            except StoreError as error:
                if error.code in _PASSING:
                    speaker.give_back(batch)
                    continue
                log.error("events.dropped", run=batch.run_id, code=error.code, message=error.message)
            speaker.kept(batch)

    async def close(self) -> None:
        """Keeps what there is, once, and stops."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._working is not None:
            await asyncio.wait([self._working])
        await self.flush()
