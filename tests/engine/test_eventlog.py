"""The log of a run: its window, what is held and void in it, and those who follow from wherever they are."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import StoreError
from headgate.core.events import Event, EventId, RunCompleted, TextDelta
from headgate.core.messages import ErrorInfo, Usage
from headgate.engine.eventlog import BATCH, WINDOW, EventLog, Follower

REASON = ErrorInfo("stopping", "the gateway is stopping")


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


async def test_a_late_follower() -> None:
    """Who comes late gets everything in pieces, whoever comes behind an id only what is behind it."""
    log = EventLog()
    for n in range(1, 1201):
        log.append(event(n))
    late, behind = log.follow(), log.follow((1, 1190))
    assert [len(await late.batch()) for _ in range(3)] == [BATCH, BATCH, 1200 - 2 * BATCH]
    assert [each.n for each in await behind.batch()] == list(range(1191, 1201))


async def test_one_wake_for_many_events() -> None:
    """A follower that waits is woken once, and reads all that came in the same turn of the loop."""
    log = EventLog()
    follower = log.follow()
    waiting = asyncio.create_task(follower.batch())
    await asyncio.sleep(0)
    for n in (1, 2, 3):
        log.append(event(n))
    assert [each.n for each in await waiting] == [1, 2, 3]


async def test_what_is_held() -> None:
    """What is held is told with all that came after it when it is let go, in order; what is void is never told."""
    log = EventLog()
    follower = log.follow()
    log.append(event(1))
    first = log.hold(event(2))
    log.append(event(3))
    second = log.hold(event(4))
    log.append(event(5))
    assert await read_all(follower) == [1]
    log.let_go(second)
    assert await read_all(follower) == []
    log.let_go(first, void=True)
    assert await read_all(follower) == [3, 4, 5]
    assert [each.n for each in log.events] == [1, 3, 4, 5]


async def test_a_held_end() -> None:
    """The log has ended when its terminal event is let go, and not before."""
    log = EventLog()
    follower = log.follow()
    place = log.hold(end(1))
    assert (log.ended, follower.drained) == (False, False)
    log.let_go(place)
    assert (log.ended, follower.drained) == (True, False)
    await follower.batch()
    assert follower.drained


async def test_an_end_that_is_void() -> None:
    """An end that could not be kept has not ended the log; a later one does."""
    log = EventLog()
    log.let_go(log.hold(end(1)), void=True)
    assert not log.ended
    log.let_go(log.hold(end(2)))
    assert log.ended


async def test_nothing_is_let_go_that_is_not_kept() -> None:
    """The window is cut where the ledger's part ends, and never without a ledger."""
    kept = Kept(*(event(n) for n in range(1, 101)))
    log, alone = EventLog(kept.read), EventLog()
    for n in range(1, 201):
        log.append(event(n))
        alone.append(event(n))
    log.trim((1, 100), keep=10)
    alone.trim((1, 100), keep=10)
    assert (log.floor, [each.n for each in log.events]) == ((1, 100), list(range(101, 201)))
    assert len(alone.events) == 200


async def test_a_follower_behind_the_window() -> None:
    """Who is behind the window reads the ledger until it has caught up, exactly; then it asks no more."""
    kept = Kept()
    log = EventLog(kept.read)
    slow = log.follow()
    log.append(event(1))
    assert [each.n for each in await slow.batch()] == [1]
    for n in range(2, 2001):
        log.append(event(n))
        kept.events[1, n] = event(n)
    log.trim((1, 2000), keep=100)
    assert await read_all(slow) == list(range(2, 2001))
    reads = kept.reads
    log.append(event(2001))
    assert (await read_all(slow), kept.reads) == ([2001], reads)


async def test_a_cold_follower() -> None:
    """A log that was never held here is read from the ledger, and followed when its run goes on under a new fence."""
    kept = Kept(event(1), event(2))
    log = EventLog(kept.read, floor=(1, 1 << 62))
    follower = log.follow((1, 1))
    assert await read_all(follower) == [2]
    log.append(event(1, fence=2))
    assert [each.key for each in await follower.batch()] == [(2, 1)]
    assert not follower.drained


async def test_a_cold_follower_of_a_run_that_has_ended() -> None:
    """It is drained once the ledger has been read to its end, also when retention has taken the log away."""
    log = EventLog(Kept(event(1), end(2)).read, floor=(1, 1 << 62), ended=True)
    follower = log.follow()
    assert [each.n for each in await follower.batch()] == [1, 2]
    assert follower.drained
    empty = EventLog(Kept().read, floor=(1, 1 << 62), ended=True).follow()
    assert await empty.batch() == []
    assert empty.drained


async def test_the_ledger_is_ahead_of_the_window() -> None:
    """What the ledger has told already is not told again when it is let go here."""
    kept = Kept(event(1), event(2))
    log = EventLog(kept.read, floor=(1, 0))
    log.append(event(1, fence=2))
    place = log.hold(event(2, fence=2))
    kept.events |= {(2, n): event(n, fence=2) for n in (1, 2)}
    follower = log.follow()
    assert await read_all(follower) == [1, 2, 1, 2]
    log.let_go(place)
    log.append(event(3, fence=2))
    assert await read_all(follower) == [3]


async def test_a_ledger_that_fails() -> None:
    """The follower hears of it, and reads on from where it was when it asks again."""
    broken = [StoreError("locked", code="store_locked")]
    kept = Kept(event(1), event(2))

    async def read(after: EventId, limit: int) -> tuple[Event, ...]:
        if broken:
            raise broken.pop()
        return await kept.read(after, limit)

    follower = EventLog(read, floor=(1, 2)).follow()
    with pytest.raises(StoreError):
        await follower.batch()
    assert await read_all(follower) == [1, 2]


async def test_broken_off() -> None:
    """Followers get what was told, wherever they are, and are drained then, though the run has not ended."""
    kept = Kept(*(event(n) for n in range(1, 5)))
    log = EventLog(kept.read, floor=(1, 4))
    log.append(event(5))
    behind, there = log.follow(), log.follow((1, 5))
    waiting = asyncio.create_task(there.batch())
    await asyncio.sleep(0)
    log.break_off(REASON)
    assert (await waiting, there.drained) == ([], True)
    assert not behind.drained
    assert await read_all(behind) == [1, 2, 3, 4, 5]
    assert behind.drained


async def test_a_wake_up_is_not_lost() -> None:
    """A wake-up before the wait ends it at once; one wake-up ends one wait."""
    follower = EventLog().follow()
    follower.wake()
    assert await follower.batch() == []
    waiting = asyncio.create_task(follower.batch())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    follower.wake()
    assert await waiting == []


async def test_a_wait_that_is_cancelled() -> None:
    """A reader that gives up loses nothing: the next one goes on."""
    log = EventLog()
    follower = log.follow()
    waiting = asyncio.create_task(follower.batch())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    log.append(event(1))
    assert [each.n for each in await follower.batch()] == [1]


async def test_who_is_watched() -> None:
    """A log is watched as long as one follower is not closed; closing twice does nothing."""
    log = EventLog()
    one, other = log.follow(), log.follow()
    one.close()
    one.close()
    assert log.watched
    other.close()
    assert not log.watched


async def test_a_slow_reader_grows_nothing() -> None:
    """While 100,000 deltas pass, the window stays bounded for a follower that does not read; then it reads all."""
    kept = Kept()
    log = EventLog(kept.read)
    slow = log.follow()
    largest = 0
    for n in range(1, 100_001):
        log.append(event(n))
        kept.events[1, n] = event(n)
        if log.full:
            log.trim((1, n))
        largest = max(largest, log.visible - log.start)
    assert largest <= WINDOW + 1
    first = await slow.batch()
    assert [each.n for each in first] == list(range(1, BATCH + 1))


# -- whatever the interleaving ---------------------------------------------------------------------------------------

ACTIONS = st.lists(
    st.sampled_from(
        ["append", "append", "append", "hold", "let go", "void", "keep", "trim", "follow", "follow later", "read"]
    ),
    max_size=60,
)


class World:
    """A log, its ledger and its followers, driven by a list of actions; `told` is what every follower must see."""

    def __init__(self) -> None:
        self.kept = Kept()
        self.log = EventLog(self.kept.read)
        self.n = self.saved = 0
        self.held: dict[int, Event] = {}
        self.void: set[int] = set()
        self.followers: list[tuple[int, Follower, list[int]]] = []

    def fresh(self) -> Event:
        self.n += 1
        return event(self.n)

    async def do(self, action: str, number: int) -> None:
        match action:
            case "append":
                self.log.append(self.fresh())
            case "hold":
                new = self.fresh()
                self.held[self.log.hold(new)] = new
            case "let go" | "void" if self.held:
                place = sorted(self.held)[number % len(self.held)]
                gone = self.held.pop(place)
                void = action == "void" and gone.key not in self.kept.events
                self.void |= {gone.n} if void else set()
                self.log.let_go(place, void=void)
            case "keep":  # the ledger keeps in order, and may have kept what is still held here
                first = min((each.n for each in self.held.values()), default=self.n + 1)
                self._keep(min(self.n, first if number % 2 else first - 1))
            case "trim":
                first = min((each.n for each in self.held.values()), default=self.n + 1)
                self.log.trim((1, min(self.saved, first - 1)), keep=number)
            case "follow" | "follow later":
                after = 0 if action == "follow" else min(number, self.n)
                self.followers.append((after, self.log.follow((1, after)), []))
            case "read" if self.followers:
                await self._read(*self.followers[number % len(self.followers)])

    def _keep(self, last: int) -> None:
        for n in range(self.saved + 1, last + 1):
            if n not in self.void:
                self.kept.events[1, n] = event(n)
        self.saved = max(self.saved, last)

    async def _read(self, _after: int, follower: Follower, seen: list[int]) -> None:
        follower.wake()
        seen += [each.n for each in await follower.batch()]

    async def judge(self) -> None:
        for place in sorted(self.held):
            self.log.let_go(place)
        self.held.clear()
        for after, follower, seen in self.followers:
            seen += await read_all(follower)
            assert seen == [n for n in range(after + 1, self.n + 1) if n not in self.void]


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs it on a loop of its own, since hypothesis calls functions."""
    with asyncio.Runner() as runner:
        runner.run(work)


@given(ACTIONS, st.lists(st.integers(0, 20), min_size=60, max_size=60))
def test_every_interleaving(actions: list[str], numbers: list[int]) -> None:
    """Each follower sees every event behind its start that is not void exactly once and in order."""

    async def live() -> None:
        world = World()
        for action, number in zip(actions, numbers, strict=False):
            await world.do(action, number)
        await world.judge()

    run(live())
