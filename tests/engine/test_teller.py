"""What is told is kept: at once or a moment later, in one order, in few transactions, and never twice."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from headgate.core.errors import StoreError
from headgate.core.events import Event, MessageCompleted, RunStarted, TextDelta
from headgate.core.messages import Usage
from headgate.engine.eventlog import WINDOW, EventLog
from headgate.engine.flusher import Flusher
from headgate.engine.teller import Teller
from headgate.stores.told import Batch, Told
from tests.waiting import until

STARTED = {"agent": "helper", "revision": "r", "model": "m"}


def refused(code: str) -> StoreError:
    """A failure of the store."""
    return StoreError("it cannot be kept", code=code)


class Shelf:
    """The part of a ledger that keeps logs: refuses what `fails` says, by run, and waits while `open` is not set."""

    def __init__(self) -> None:
        self.events: dict[str, list[Event]] = {}
        self.writes: list[list[str]] = []
        self.fails: dict[str, list[str]] = {}
        self.open = asyncio.Event()
        self.open.set()

    async def append_events(self, batches: Sequence[Batch]) -> None:
        self.writes.append([batch.run_id for batch in batches])
        await self.open.wait()
        for batch in batches:
            if self.fails.get(batch.run_id):
                raise refused(self.fails[batch.run_id].pop())
        for batch in batches:
            self.events.setdefault(batch.run_id, []).extend(batch.events)

    async def commit(self, run: str, told: Told) -> None:
        await asyncio.sleep(0)
        if self.fails.get(run):
            raise refused(self.fails[run].pop())
        self.events.setdefault(run, []).extend(told.events)

    def kept(self, run: str) -> list[int]:
        """The numbers of what is kept of a run, in the order of its log."""
        return sorted(event.n for event in self.events.get(run, []))


class Voice:
    """A teller on a shelf."""

    def __init__(self, shelf: Shelf, flusher: Flusher, run: str = "run_1") -> None:
        self.shelf, self.run = shelf, run
        self.log = EventLog(self._read)
        self.teller = Teller(run, self.log, 1, flusher)

    async def _read(self, after: tuple[int, int], limit: int) -> tuple[Event, ...]:
        found = sorted(self.shelf.events.get(self.run, []), key=lambda event: event.n)
        return tuple(event for event in found if event.key > after)[:limit]

    def say(self, text: str = "a ", step: int = 1) -> TextDelta:
        return self.teller.tell(TextDelta(text=text), step)

    def commit(self, *events: Event, deltas: tuple[TextDelta, ...] = ()) -> Coroutine[Any, Any, bool]:
        work = lambda told: self.shelf.commit(self.run, told)  # noqa: E731
        return self.teller.keep(work, *((event, 1) for event in events), deltas=deltas)

    @property
    def told(self) -> list[int]:
        return [event.n for event in self.log.events]


@pytest.fixture
def shelf() -> Shelf:
    """A shelf that keeps everything."""
    return Shelf()


@pytest.fixture
def flusher(shelf: Shelf) -> Flusher:
    """A flusher that flushes when it is told to."""
    return Flusher(shelf, interval=3600, again=0)  # type: ignore[arg-type]


async def test_many_runs_one_transaction(shelf: Shelf) -> None:
    """What several runs say in the same moment is told at once, and kept in one transaction by itself."""
    soon = Flusher(shelf, interval=0)  # type: ignore[arg-type]
    voices = [Voice(shelf, soon, f"run_{n}") for n in range(3)]
    for voice in voices:
        voice.say()
        voice.say()
        assert voice.told == [1, 2]
    await until(lambda: len(shelf.events) == 3)
    assert len(shelf.writes) == 1
    assert [shelf.kept(voice.run) for voice in voices] == [[1, 2]] * 3


async def test_a_step_takes_along_what_was_said(shelf: Shelf, flusher: Flusher) -> None:
    """What is not kept yet goes with the next transaction of its run, and is not flushed again."""
    voice = Voice(shelf, flusher)
    voice.say()
    assert not await voice.commit(RunStarted(**STARTED))
    assert shelf.kept("run_1") == voice.told == [1, 2]
    await flusher.flush()
    assert shelf.writes == []


async def test_nothing_is_told_that_is_not_kept(shelf: Shelf, flusher: Flusher) -> None:
    """The events of a transaction that fails are never told; what was said before it is kept later."""
    voice = Voice(shelf, flusher)
    voice.say()
    shelf.fails["run_1"] = ["store_full"]
    with pytest.raises(StoreError):
        await voice.commit(RunStarted(**STARTED))
    voice.say()
    assert voice.told == [1, 3]
    await flusher.flush()
    assert shelf.kept("run_1") == [1, 3]


async def test_what_follows_a_commit_waits_for_it(shelf: Shelf, flusher: Flusher) -> None:
    """What is said while a transaction is on its way is told after its events."""
    voice = Voice(shelf, flusher)
    work = asyncio.create_task(voice.commit(RunStarted(**STARTED)))
    await asyncio.sleep(0)
    voice.say()
    assert voice.told == []
    await work
    assert voice.told == [1, 2]


async def test_a_caller_that_is_cancelled(shelf: Shelf, flusher: Flusher) -> None:
    """The transaction is carried out and told all the same, and its caller is told of the cancellation."""
    voice = Voice(shelf, flusher)
    work = asyncio.create_task(voice.commit(RunStarted(**STARTED)))
    await asyncio.sleep(0)
    work.cancel()
    assert await work is True
    assert shelf.kept("run_1") == voice.told == [1]


async def test_a_flush_that_fails_is_made_again(shelf: Shelf, flusher: Flusher) -> None:
    """What could not be kept is given back, and is kept in its order with what was said since."""
    voice = Voice(shelf, flusher)
    shelf.fails["run_1"] = ["store_locked"]
    voice.say()
    await flusher.flush()
    assert shelf.kept("run_1") == []
    voice.say()
    await flusher.flush()
    assert [event.n for event in shelf.events["run_1"]] == [1, 2]


async def test_events_that_no_store_takes(shelf: Shelf, flusher: Flusher) -> None:
    """They are dropped, and do not stand in the way of other runs."""
    bad, good, locked = (Voice(shelf, flusher, f"run_{name}") for name in ("bad", "good", "locked"))
    shelf.fails = {"run_bad": ["store_conflict"] * 2}
    for voice in (bad, good):
        voice.say()
    await flusher.flush()
    assert (shelf.kept("run_bad"), shelf.kept("run_good")) == ([], [1])
    for voice in (bad, locked):
        voice.say()
    shelf.fails = {"run_bad": ["store_conflict"] * 2, "run_locked": ["store_locked"]}
    while not shelf.kept("run_locked"):
        await flusher.flush()
    assert shelf.kept("run_bad") == []


async def test_a_message_that_is_kept_before_its_deltas(shelf: Shelf, flusher: Flusher) -> None:
    """Deltas whose flush fails while their message is kept are not kept beside it: the message stands for them."""
    voice = Voice(shelf, flusher)
    shelf.open.clear()
    said = voice.say(), voice.say()
    flushing = asyncio.create_task(flusher.flush())
    await until(lambda: shelf.writes)
    await voice.commit(MessageCompleted(text="a a ", usage=Usage(), model="m"), deltas=said)
    shelf.fails["run_1"] = ["store_full"]
    shelf.open.set()
    await flushing
    await flusher.close()
    assert (shelf.kept("run_1"), voice.told) == ([3], [1, 2, 3])


async def test_what_is_on_its_way_stays_in_the_window(shelf: Shelf, flusher: Flusher) -> None:
    """The window lets nothing go that a flush has taken and not kept yet, so that who is behind misses nothing."""
    voice = Voice(shelf, flusher)
    follower = voice.log.follow()
    shelf.open.clear()
    for _ in range(WINDOW):
        voice.say()
    flushing = asyncio.create_task(flusher.flush())
    await until(lambda: shelf.writes)
    await voice.commit(RunStarted(**STARTED))
    assert len(voice.log.events) == WINDOW + 1
    shelf.open.set()
    await flushing
    assert len(voice.log.events) < WINDOW
    seen: list[int] = []
    while len(seen) < WINDOW + 1:
        seen += [event.n for event in await follower.batch()]
    assert seen == list(range(1, WINDOW + 2))


async def test_the_rest_is_kept_at_the_end(shelf: Shelf, flusher: Flusher) -> None:
    """Closing keeps what was said last; a run that rests is asked no more."""
    voice, resting = Voice(shelf, flusher), Voice(shelf, flusher, "run_2")
    voice.say()
    resting.say()
    resting.teller.rest()
    await flusher.close()
    assert (shelf.kept("run_1"), shelf.kept("run_2")) == ([1], [])
