"""The keeper: leases are renewed, runs that nobody is at work on go on, waits expire, what is old is deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from headgate.core.errors import StoreError
from headgate.core.events import RunCompleted, RunEnd
from headgate.engine.keeper import SWEEP, Keeper
from headgate.engine.leftovers import LONGEST, Leftovers
from headgate.engine.run import Ending
from headgate.stores.records import Lease
from tests.conftest import Tree
from tests.engine.house import House, another, finished, housed, left
from tests.waiting import until

SCRIPT = """
- {when: {user_contains: held}, call: add, args: {a: 1, b: 2}}
- {when: {user_contains: slow}, delay: 1h, text: one two}
- {text: Well.}
"""
TABLES = """
[approvals.holding]
tools = ["add"]
decide = "ask"
timeout = "10h"
[retention]
events = "1h"
runs = "2h"
sessions = "3h"
[server.limits]
runs = 3
"""


@pytest.fixture
async def house(tree: Tree) -> AsyncIterator[House]:
    """A house whose tree has room for three runs."""
    async with housed(tree(SCRIPT, toml=TABLES)) as house:
        yield house


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def abandoned(house: House, text: str = "hi") -> str:
    """A run whose process is gone: nobody has it, and nobody knows that it was left."""
    run = await house.host.submit(house.order(text))
    run.leave(now=False)
    await left(run)
    house.host.left.forget(run.id)
    return run.id


# -- leases and claims -----------------------------------------------------------------------------------------------


async def test_leases_are_renewed(house: House) -> None:
    """As long as a run is going on its lease is prolonged with every round."""
    run = await house.host.submit(house.order("slow"))
    before = (await house.record(run.id)).lease_until
    await until(lambda: run.begun)
    await house.keeper.round()
    after = (await house.record(run.id)).lease_until
    assert before is not None
    assert after is not None
    assert after > before


async def test_runs_of_a_process_that_is_gone(house: House) -> None:
    """They go on with the next round, the oldest first, as many as there is room for."""
    runs = [await abandoned(house, "slow") for _ in range(5)]
    await house.keeper.round()
    assert list(house.host.runs) == runs[:3]
    for run in runs[:3]:
        await house.host.cancel(run, Ending("enough"))
    await until(lambda: house.empty)
    await house.keeper.round()
    assert list(house.host.runs) == runs[3:]


async def test_runs_of_a_process_that_is_alive(house: House) -> None:
    """They are left alone until their lease is over."""
    run = await house.host.submit(house.order("slow"))
    async with another(house.host) as second:
        await second.keeper.round()
        assert second.host.runs == {}
        record = await second.host.ledger.claim_run(run.id, Lease(house.host.lease.owner, -1.0))
        assert record is not None
        await second.keeper.round()
        assert list(second.host.runs) == [run.id]


async def test_a_process_that_claims_nothing(house: House) -> None:
    """It goes on with the runs that it left, and with no others."""
    keeper = Keeper(house.host, claims=False)
    others, own = await abandoned(house), await abandoned(house)
    house.host.left.add(own)
    await keeper.round()
    await until(lambda: house.empty)
    assert (await house.record(own)).state == "completed"
    assert (await house.record(others)).state == "running"


async def test_an_owner_that_was_taken_for_dead(house: House) -> None:
    """It writes nothing any more, ends no run, and tells its listeners so; the new owner ends the run."""
    run = await house.host.submit(house.order("slow"))
    await until(lambda: run.begun)
    await house.host.ledger.claim_run(run.id, Lease(house.host.lease.owner, -1.0))
    async with another(house.host) as second:
        await second.keeper.round()
        run.cancel(Ending("the old owner ends it"))
        told = await left(run)
        assert not any(isinstance(event, RunEnd) for event in told)
        taken = second.host.runs[run.id]
        taken.cancel(Ending("the new owner ends it"))
        assert (await finished(taken))[-1].fence == 3
        assert [event.fence for event in await second.events(run.id) if isinstance(event, RunEnd)] == [3]


# -- what was left ---------------------------------------------------------------------------------------------------


def test_what_is_left_again_and_again() -> None:
    """It is tried at once, and then ever later, up to a minute; once it is well it is new again."""
    clock = Clock()
    leftovers = Leftovers(clock)
    delays = []
    for _ in range(9):
        leftovers.add("run_1")
        delays.append(leftovers.delay())
        clock.now += leftovers.delay() or 0.0
        assert leftovers.due() == ["run_1"]
        leftovers.take("run_1")
    assert delays == [0, 1, 2, 4, 8, 16, 32, LONGEST, LONGEST]
    leftovers.forget("run_1")
    leftovers.add("run_1")
    assert leftovers.delay() == 0


def test_an_ending_is_kept() -> None:
    """The first ending counts, and goes to whoever takes the run."""
    leftovers = Leftovers()
    first = Ending("first")
    leftovers.add("run_1", first)
    leftovers.add("run_1", Ending("second"))
    leftovers.add("run_1")
    assert (len(leftovers), "run_1" in leftovers) == (1, True)
    assert leftovers.take("run_1") is first
    assert (leftovers.take("run_1"), leftovers.delay(), len(leftovers)) == (None, None, 0)


async def test_a_run_whose_end_no_store_takes(house: House) -> None:
    """Its turns are not made anew without a pause: models cost money."""
    house.ledger.fail("finish_run", 100)
    clock = Clock()
    house.host.left = Leftovers(clock)
    run = await house.host.submit(house.order())
    await left(run)
    fences = []
    for _ in range(6):
        await house.keeper.round()
        await until(lambda: house.empty)
        fences.append((await house.record(run.id)).fence)
    assert fences == [2] * 6
    clock.now += 1
    await house.keeper.round()
    await until(lambda: house.empty)
    assert (await house.record(run.id)).fence == 3


async def test_it_comes_back_in_time(house: House) -> None:
    """The keeper looks again when a lease has to be renewed, a wait expires, or a run that was left is due."""
    assert await house.keeper.round() == pytest.approx(house.host.lease.seconds / 3)
    clock = Clock()
    house.host.left = Leftovers(clock)
    for _ in range(2):
        house.host.left.take("run_none")
        house.host.left.add("run_none")
    assert await house.keeper.round() == pytest.approx(1.0)
    house.host.left.forget("run_none")
    await house.parked("held")
    (wait,) = await house.questions()
    soon = Keeper(house.host, clock=lambda: wait.expires_at - 1.5)
    assert await soon.round() == pytest.approx(1.5)


# -- by itself -------------------------------------------------------------------------------------------------------


async def test_at_work(house: House) -> None:
    """It goes on with answered runs at once, since it is told of them; and with what a failing store had stopped."""
    async with house.keeper.at_work():
        run = await house.parked("held")
        (wait,) = await house.questions()
        house.ledger.fail("claim")
        house.ledger.fail("finish_run")
        assert await house.answer(wait, "approved")
        async with asyncio.timeout(60):
            while await house.state(run) != ("completed", "success"):  # noqa: ASYNC110 -- the ledger tells nobody
                await asyncio.sleep(0.01)
    assert isinstance((await house.events(run.id))[-1], RunCompleted)


async def test_a_gateway_that_stops(house: House) -> None:
    """Nothing is claimed any more; leases are kept while steps end."""
    run = await abandoned(house)
    house.host.draining = True
    await house.keeper.round()
    assert (house.empty, (await house.record(run)).state) == (True, "running")


async def test_a_store_that_fails(house: House) -> None:
    """A round says so; the keeper itself tries again."""
    house.ledger.fail("expire_waits")
    with pytest.raises(StoreError):
        await house.keeper.round()
    await house.keeper.round()


# -- expiry and retention --------------------------------------------------------------------------------------------


async def test_a_wait_expires_while_its_run_is_at_work(house: House) -> None:
    """Runs here hear of it as of an answer."""
    run = await house.parked("held")
    keeper = Keeper(house.host, clock=lambda: house.now() + 36001)
    await keeper.round()
    await until(lambda: house.empty)
    assert await house.state(run) == ("completed", "success")
    assert await house.questions() == []


async def test_what_is_old_is_deleted(house: House) -> None:
    """Logs, runs and sessions go when `[retention]` says so, and not before; what waits stays."""
    session = await house.session()
    inside = await house.host.submit(house.order(), session)
    alone = await house.host.submit(house.order())
    await finished(inside)
    await finished(alone)
    waiting = await house.parked("held")
    clock = Clock(house.now())
    keeper = Keeper(house.host, clock=clock)
    ledger = house.host.ledger

    async def after(hours: float) -> tuple[int, bool, bool, bool]:
        clock.now = house.now() + hours * 3600
        await keeper.round()
        found = await ledger.run(alone.id), await ledger.run(inside.id), await ledger.session(session.id)
        return (len(await house.events(inside.id)), *(each is not None for each in found))  # type: ignore[return-value]

    events = len(await house.events(inside.id))
    assert await after(0.1) == (events, True, True, True)
    assert await after(1.2) == (0, True, True, True)
    assert await after(2.4) == (0, False, True, True)
    assert await after(3.6) == (0, False, False, False)
    assert (await house.record(waiting.id)).id == waiting.id


async def test_a_sweep_comes_once_an_hour(house: House) -> None:
    """It is not due with every round."""
    clock = Clock(house.now())
    keeper = Keeper(house.host, clock=clock)
    house.ledger.fail("sweep", 10)
    await keeper.round()
    clock.now += 61
    with pytest.raises(StoreError):
        await keeper.round()
    house.ledger.fail("sweep", -9)
    await keeper.round()
    house.ledger.fail("sweep")
    await keeper.round()
    clock.now += SWEEP + 1
    with pytest.raises(StoreError):
        await keeper.round()
