"""The live snapshot and those that it replaced, which go when their last run has ended, or when their time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headgate.compile.build import SERVERS
from headgate.compile.plan import Snapshot


class Revisions:
    """`overdue` is called with a retired snapshot whose runs have had their time."""

    def __init__(self, live: Snapshot, overdue: Callable[[Snapshot], None]) -> None:
        self.live = live
        self._overdue = overdue
        self._draining: dict[Snapshot, asyncio.TimerHandle] = {}
        self._refolded: list[Snapshot] = []
        self._closing: list[Snapshot] = []

    def swap(self, snapshot: Snapshot) -> None:
        """Makes the snapshot the live one and retires the one before; never waits."""
        old, self.live = self.live, snapshot
        if old is snapshot:
            return
        self._refolded = [each for each in (*self._refolded, old) if each.leases > 0]
        if old.revision != snapshot.revision:  # of the same revision runs may go on as long as it is live
            self._hurry(snapshot.gateway.reload.drain)
        self._retire(old)

    def _hurry(self, drain: float) -> None:
        self._draining = {each: timer for each, timer in self._draining.items() if each.leases > 0}
        for old in self._refolded:
            self._draining[old] = asyncio.get_running_loop().call_later(drain, self._overdue, old)
        self._refolded = []

    def _retire(self, old: Snapshot) -> None:
        self._closing = [each for each in (*self._closing, old) if not each.gone]
        old.retire()

    async def withdraw(self) -> None:
        """Closes the MCP servers that the live snapshot does not have any more, though runs may still hold them: what
        was taken away is gone at once, in every process."""
        kept = {each.identity for each in self.live.resources}
        held = {each for snapshot in self._closing for each in snapshot.resources if each.identity[0] == SERVERS}
        await asyncio.gather(*(each.close() for each in held if each.identity not in kept))

    async def close(self) -> None:
        """Retires the live one too, and waits until everything is closed."""
        for timer in self._draining.values():
            timer.cancel()
        self.live.retire()
        for snapshot in (*self._closing, self.live):
            await snapshot.closed()
