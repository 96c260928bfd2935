"""The log of a run: its window, what is held and void in it, and those who follow from wherever they are."""

from __future__ import annotations

import asyncio

import pytest

from headgate.core.errors import StoreError
from headgate.core.events import Event, EventId
from headgate.core.messages import ErrorInfo
from headgate.engine.eventlog import BATCH, WINDOW, EventLog
from tests.engine.reading import Kept, end, event, read_all

REASON = ErrorInfo("stopping", "the gateway is stopping")


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
