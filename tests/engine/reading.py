"""Events, a ledger's part, and reading to the end: what the tests of logs share."""

from __future__ import annotations

import asyncio

from headgate.core.events import Event, EventId, RunCompleted, TextDelta
from headgate.core.messages import Usage
from headgate.engine.eventlog import Follower


def event(n: int, fence: int = 1) -> Event:
    """An event with this number."""
    return TextDelta(text=f"{n} ", fence=fence, n=n)


def end(n: int) -> Event:
    """A terminal event."""
    return RunCompleted(outcome="success", usage=Usage(), cost=0.0, turns=1, fence=1, n=n)


class Kept:
    """A ledger's part: the events that are kept."""

    def __init__(self, *events: Event) -> None:
        self.events = {each.key: each for each in events}
        self.reads = 0

    async def read(self, after: EventId, limit: int) -> tuple[Event, ...]:
        self.reads += 1
        await asyncio.sleep(0)
        return tuple(self.events[key] for key in sorted(self.events) if key > after)[:limit]


async def read_all(follower: Follower) -> list[int]:
    """The numbers of everything that is there for the follower."""
    found: list[int] = []
    silent = 0
    while silent < 2:  # an empty batch may also be one that found the way from the ledger to the window
        follower.wake()
        fresh = await follower.batch()
        silent = 0 if fresh else silent + 1
        found += [each.n for each in fresh]
    return found
