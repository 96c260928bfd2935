"""The events of one run, in order, and those who follow them.

Appending never waits. A follower is woken once per turn of the event loop, however many events came, and reads all
that are there; a slow one holds no buffer of its own, only a position.
"""

from __future__ import annotations

import asyncio

from headgate.core.events import Event, RunEnd

BATCH = 512
"""Events that a follower reads at once, so that one that comes late does not get everything in one piece."""


class EventLog:
    """The append-only log of one run."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.ended = False
        self._followers: set[Follower] = set()

    def append(self, event: Event) -> None:
        """Adds one event and wakes the followers; nothing follows a terminal event."""
        if self.ended:
            return
        self.events.append(event)
        self.ended = isinstance(event, RunEnd)
        for follower in self._followers:
            follower.wake()

    def follow(self, position: int = 0) -> Follower:
        """A follower that has seen the first `position` events; close it when done."""
        follower = Follower(self, position)
        self._followers.add(follower)
        return follower

    def leave(self, follower: Follower) -> None:
        """Forgets a follower."""
        self._followers.discard(follower)

    @property
    def watched(self) -> bool:
        """Whether anybody follows."""
        return bool(self._followers)


class Follower:
    """One reader of a log. `batch` returns early, and empty, when `wake` is called (a timer, a client that left)."""

    def __init__(self, log: EventLog, position: int) -> None:
        self._log = log
        self._position = position
        self._sleeping: asyncio.Future[None] | None = None
        self._poked = False

    def wake(self) -> None:
        """Ends the wait of `batch`, now or the next time it would begin."""
        self._poked = True
        if self._sleeping is not None and not self._sleeping.done():
            self._sleeping.set_result(None)

    async def batch(self) -> list[Event]:
        """The next events, at most `BATCH` of them; waits for one or for a wake-up."""
        if self._position == len(self._log.events) and not self._poked:
            self._sleeping = asyncio.get_running_loop().create_future()
            try:
                await self._sleeping
            finally:
                self._sleeping = None
        self._poked = False
        fresh = self._log.events[self._position : self._position + BATCH]
        self._position += len(fresh)
        return fresh

    @property
    def drained(self) -> bool:
        """Whether the run has ended and everything has been read."""
        return self._log.ended and self._position == len(self._log.events)

    def close(self) -> None:
        """Stops following."""
        self._log.leave(self)
