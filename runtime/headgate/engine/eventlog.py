"""The events of one run, in order, and those who follow them.

Appending never waits. A follower is woken once per turn of the event loop, however many events came, and reads all
that are there; a slow one holds no buffer of its own, only a position. The log holds a window of the newest events;
who is behind it reads from the ledger until it has caught up.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from operator import attrgetter

from headgate.core.events import Event, EventId, RunEnd, TextDelta, ThinkingDelta
from headgate.core.messages import ErrorInfo

BATCH = 512
"""Events that a follower reads at once, so that one that comes late does not get everything in one piece."""
WINDOW = 8192
"""Events that a log holds before it lets the older half go."""

Read = Callable[[EventId, int], Awaitable[tuple[Event, ...]]]
"""The kept events behind an id, at most so many; none only at the end."""

_key = attrgetter("key")
_DELTAS = frozenset({TextDelta, ThinkingDelta})


class EventLog:
    """The append-only log of one run; `read` gives what is not in the window, which begins behind the id `floor`.

    Without `read` nothing is ever let go.
    """

    def __init__(self, read: Read | None = None, *, floor: EventId = (0, 0), ended: bool = False) -> None:
        self.read = read
        self.floor = floor
        self.ended = ended
        self.broken: ErrorInfo | None = None
        self._events: list[Event] = []
        self.start = 0
        self._held: set[int] = set()
        self._void: set[int] = set()
        self.visible = 0
        self._followers: set[Follower] = set()

    @property
    def events(self) -> list[Event]:
        """What was told and is in the window."""
        return self.between(self.start, self.visible)

    def append(self, event: Event) -> None:
        """Adds one event and wakes the followers; nothing follows a terminal event."""
        self._events.append(event)
        if self._held:
            return
        self.visible += 1
        if type(event) in _DELTAS:  # the hot path
            for follower in self._followers:
                if follower.sleeping is not None:
                    follower.wake()
        else:
            self._tell(event)

    def hold(self, event: Event) -> int:
        """Adds an event that is told, with all that comes after it, only when it is let go; returns its place."""
        place = self.start + len(self._events)
        self._events.append(event)
        self._held.add(place)
        return place

    def let_go(self, *places: int, void: bool = False) -> None:
        """Tells events that were held; void ones are never told."""
        self._held.difference_update(places)
        if void:
            self._void.update(places)
        end = min(self._held, default=self.start + len(self._events))
        if end > self.visible:
            fresh, self.visible = self.between(self.visible, end), end
            if fresh:
                self._tell(fresh[-1])

    def between(self, first: int, last: int) -> list[Event]:
        """The events from one place to before another."""
        found = self._events[first - self.start : last - self.start]
        if not self._void:
            return found
        return [event for place, event in enumerate(found, first) if place not in self._void]

    def place(self, after: EventId) -> int:
        """The place of the first event of the window behind the id."""
        return self.start + bisect_right(self._events, after, key=_key)

    def trim(self, saved: EventId, keep: int = WINDOW // 2) -> None:
        """Lets all but the newest events go, where the ledger has them: `saved` is the newest that it has."""
        if self.read is None or len(self._events) <= keep:
            return
        cut = min(len(self._events) - keep, bisect_right(self._events, saved, key=_key), self.visible - self.start)
        if cut > 0:
            self.floor = self._events[cut - 1].key
            del self._events[:cut]
            self.start += cut
            self._void = {place for place in self._void if place >= self.start}

    @property
    def full(self) -> bool:
        """Whether it is time to trim."""
        return len(self._events) > WINDOW

    def break_off(self, reason: ErrorInfo) -> None:
        """Nothing more is told here, though the run has not ended: it is to go on elsewhere, or later."""
        self.broken = reason
        for follower in self._followers:
            follower.wake()

    def follow(self, after: EventId = (0, 0)) -> Follower:
        """A follower of what comes behind the id; close it when done."""
        follower = Follower(self, after)
        self._followers.add(follower)
        return follower

    def leave(self, follower: Follower) -> None:
        """Forgets a follower."""
        self._followers.discard(follower)

    @property
    def watched(self) -> bool:
        """Whether anybody follows."""
        return bool(self._followers)

    def _tell(self, newest: Event) -> None:
        if isinstance(newest, RunEnd):
            self.ended = True
        for follower in self._followers:
            follower.wake()


class Follower:
    """One reader of a log. `batch` returns early, and empty, when `wake` is called (a timer, a client that left)."""

    def __init__(self, log: EventLog, after: EventId) -> None:
        self.log = log
        self.last = after
        self._position = log.place(after)
        self._behind = after < log.floor
        self._ended = False
        self.sleeping: asyncio.Future[None] | None = None
        self._poked = False

    def wake(self) -> None:
        """Ends the wait of `batch`, now or the next time it would begin."""
        self._poked = True
        sleeping, self.sleeping = self.sleeping, None
        if sleeping is not None and not sleeping.done():
            sleeping.set_result(None)

    async def batch(self) -> list[Event]:
        """The next events, at most about `BATCH` of them; waits for one or for a wake-up. Raises `StoreError`."""
        if self._behind or self._position < self.log.start:
            older = await self._older()
            if older:
                return older
        if self._position >= self.log.visible and not self._poked and not self.drained:
            sleeping = self.sleeping = asyncio.get_running_loop().create_future()
            try:
                await sleeping
            finally:
                self.sleeping = None
        self._poked = False
        if self._position < self.log.start:
            return []
        # The ledger may have told already what is still held here: then the position is ahead of what is visible.
        end = max(self._position, min(self._position + BATCH, self.log.visible))
        fresh = self.log.between(self._position, end)
        self._position = end
        if fresh:
            self._seen(fresh[-1])
        return fresh

    async def _older(self) -> list[Event]:
        """Events from the ledger; none when the window has all that comes next."""
        if self.log.read is not None and (self.last < self.log.floor or self._position < self.log.start):
            found = await self.log.read(self.last, BATCH)
            if found:
                self._seen(found[-1])
                self._behind = True
                return list(found)
        self._position = self.log.place(self.last)
        self._behind = False
        return []

    def _seen(self, event: Event) -> None:
        self.last = event.fence, event.n
        self._ended = isinstance(event, RunEnd)

    @property
    def drained(self) -> bool:
        """Whether everything has been read of a run that has ended, or that is not told any more."""
        if self._ended:
            return True
        over = self.log.ended or self.log.broken is not None
        return over and not self._behind and self._position >= self.log.visible

    def close(self) -> None:
        """Stops following."""
        self.log.leave(self)
