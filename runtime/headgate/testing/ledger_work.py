"""Contracts of the ledger: a run has one owner at a time, who loses it by a lease that is over."""

from __future__ import annotations

import asyncio

from headgate.core.events import MessageCompleted
from headgate.core.messages import Usage
from headgate.stores.port import Ledger
from headgate.stores.records import Intent, Lease, Progress, RunFilter, RunRequest
from headgate.stores.told import Told
from headgate.testing.ledger_checks import Contract, Opener, begin, found, open_session, refused, same, told
from headgate.testing.ledger_samples import (
    LEASE,
    a_commit,
    a_park,
    a_run,
    a_step,
    a_wait,
    an_answer,
    an_end,
    asked,
    at,
    deltas,
)

OTHER = Lease("other", 60.0)
OVER = Lease("dead", -1.0)
"""A lease that is over as soon as it is given."""


async def run_is_leased(opener: Opener) -> None:
    """A run begins under its owner's lease, by the database's clock, and has its request and its key."""
    async with opener() as ledger:
        request = RunRequest(model="m2", profile="terse", input={"k": [1]}, timeout=5.5)
        new = await begin(ledger, request=request)
        other = await begin(ledger, lease=Lease("me", 3600.0))
        run, later = await found(ledger, new.id), await found(ledger, other.id)
        same((run.lease_owner, run.request, run.key_digest, run.elapsed), ("me", request, "d" * 64, 0.0))
        apart = (later.lease_until or 0.0) - (run.lease_until or 0.0)
        same(3500.0 < apart < 3600.0, True)


async def runs_are_listed(opener: Opener) -> None:
    """Runs are listed newest first, page by page, by what is asked for."""
    async with opener() as ledger:
        session = await open_session(ledger)
        made = [await begin(ledger, created_at=100.0 + n // 2) for n in range(5)]
        special = await begin(ledger, session_id=session.id, principal="other", agent="cook", created_at=300.0)
        await ledger.finish_run(an_end(made[2].id))
        newest = [run.id for run in sorted(made, key=lambda run: (run.created_at, run.id), reverse=True)]
        first = await ledger.runs(RunFilter(principal="local", limit=3))
        same([run.id for run in first], newest[:3])
        after = (first[-1].created_at, first[-1].id)
        same([run.id for run in await ledger.runs(RunFilter(principal="local", after=after))], newest[3:])
        for wanted in (RunFilter(principal="other"), RunFilter(agent="cook"), RunFilter(session_id=session.id)):
            same([run.id for run in await ledger.runs(wanted)], [special.id])
        same([run.id for run in await ledger.runs(RunFilter(state="completed"))], [made[2].id])
        same(await ledger.runs(RunFilter(agent="cook", state="completed")), ())


async def left_runs_are_claimed(opener: Opener) -> None:
    """Runs without an owner, of a dead one, and queued ones are claimed, oldest first, each with a new fence; others
    are not."""
    async with opener() as ledger:
        held = await begin(ledger, created_at=1.0)
        dead = await begin(ledger, created_at=4.0, lease=OVER)
        left = await begin(ledger, created_at=3.0)
        await ledger.release(left.id, 1)
        queued, waiting = await _asking(ledger, 2.0), await _asking(ledger, 2.5)
        await ledger.answer(an_answer(queued[1]))
        done = await begin(ledger, lease=OVER)
        await ledger.finish_run(an_end(done.id))
        same([run.id for run in await ledger.claim(OTHER, 2)], [queued[0], left.id])
        (run,) = await ledger.claim(OTHER, 9)
        same((run.id, run.fence, run.state, run.lease_owner), (dead.id, 2, "running", "other"))
        same(await ledger.claim(OTHER, 9), ())
        same([(await found(ledger, id)).fence for id in (held.id, waiting[0], done.id)], [1, 1, 1])


async def own_runs_are_not_claimed(opener: Opener) -> None:
    """An owner whose lease is over does not claim what it still runs, but may claim one run by its name."""
    async with opener() as ledger:
        new = await begin(ledger, lease=OVER)
        same(await ledger.claim(Lease("dead", 60.0), 9), ())
        run = await ledger.claim_run(new.id, Lease("dead", 60.0))
        same(run and (run.fence, run.lease_owner), (2, "dead"))
        run = await ledger.claim_run(new.id, Lease("dead", 60.0))
        same(run and run.fence, 3)


async def one_run_is_claimed(opener: Opener) -> None:
    """One run is claimed when it waits, is queued or was left; not when it has ended, is somebody's, or is unknown."""
    async with opener() as ledger:
        held, done, left = await begin(ledger), await begin(ledger), await begin(ledger, lease=OVER)
        await ledger.finish_run(an_end(done.id))
        waiting, queued = await _asking(ledger), await _asking(ledger)
        await ledger.answer(an_answer(queued[1]))
        for run_id in (held.id, done.id, "run_none"):
            same(await ledger.claim_run(run_id, OTHER), None)
        for run_id in (left.id, waiting[0], queued[0]):
            run = await ledger.claim_run(run_id, OTHER)
            same(run and (run.state, run.fence, run.lease_owner), ("running", 2, "other"))


async def claims_do_not_meet(opener: Opener) -> None:
    """Of several owners who claim at once each gets other runs, and none is left over."""
    async with opener() as ledger, opener() as second:
        runs = {(await begin(ledger, lease=OVER)).id for _ in range(20)}
        owners = [Lease(f"owner {n}", 60.0) for n in range(4)]
        claims = [(ledger, second)[i % 2].claim(lease, 3) for i, lease in enumerate(owners * 3)]
        claimed = [run.id for taken in await asyncio.gather(*claims) for run in taken]
        same((len(claimed), set(claimed)), (20, runs))


async def leases_are_renewed(opener: Opener) -> None:
    """Renewing prolongs the leases of all running runs of the owner, and of nobody else."""
    async with opener() as ledger:
        mine = [await begin(ledger, lease=Lease("me", -5.0)) for _ in range(2)]
        theirs, done = await begin(ledger, lease=OVER), await begin(ledger)
        await ledger.finish_run(an_end(done.id))
        await _asking(ledger)
        same((await ledger.renew(LEASE), await ledger.renew(Lease("nobody", 1.0))), (2, 0))
        same([run.id for run in await ledger.claim(OTHER, 9)], [theirs.id])
        same([(await found(ledger, run.id)).lease_owner for run in mine], ["me", "me"])


async def runs_are_released(opener: Opener) -> None:
    """A run is left under its fence only; a dead owner's runs are all left at once, and keep their fences."""
    async with opener() as ledger:
        first, second = await begin(ledger), await begin(ledger)
        await ledger.release(first.id, 2)
        same((await found(ledger, first.id)).lease_owner, "me")
        await ledger.release(first.id, 1)
        same((await found(ledger, first.id)).lease_owner, None)
        same((await ledger.release_all(), await ledger.release_all()), (1, 0))
        run = await found(ledger, second.id)
        same((run.state, run.fence, run.lease_owner, run.lease_until), ("running", 1, None, None))
        await ledger.commit_step(a_commit(second.id))


async def old_owners_are_fenced(opener: Opener) -> None:
    """An owner whose run was claimed by another can neither write, begin a call, ask, park nor end it."""
    async with opener() as ledger:
        new = await begin(ledger, lease=OVER)
        await ledger.claim(OTHER, 1)
        wait = a_wait(new.id)
        call = Intent(run_id=new.id, fence=1, step=2, call_id="c", tool="t", at=1.0)
        event = at(1, MessageCompleted(text="a", usage=Usage(), model="m", step=1))
        told_too = Told((at(2, event),), deltas(1, "a"))
        for work in (
            ledger.commit_step(a_commit(new.id, told=told_too)),
            ledger.begin_call(call),
            ledger.open_wait(asked(wait)),
            ledger.park(a_park(new.id)),
            ledger.finish_run(an_end(new.id, told=told_too)),
        ):
            await refused(work, "fenced")
        await ledger.release(new.id, 1)
        loaded = await ledger.load(new.id)
        same(loaded and (loaded.begun, loaded.waits, loaded.run.fence), ({}, (), 2))
        same((await told(ledger, new.id), (await found(ledger, new.id)).lease_owner), ([], "other"))
        await ledger.commit_step(a_commit(new.id, fence=2))


async def intents_are_dropped(opener: Opener) -> None:
    """A call's intent goes with its step, and every intent with the run's end."""
    async with opener() as ledger:
        new = await begin(ledger)
        for step in (2, 3):
            await ledger.begin_call(Intent(run_id=new.id, fence=1, step=step, call_id="c", tool="t", at=1.0))
        done = a_step(2, kind="tool", usage=None)
        await ledger.commit_step(a_commit(new.id, steps=(a_step(1), done), progress=Progress(elapsed=1.5)))
        same((await found(ledger, new.id)).elapsed, 1.5)
        loaded = await ledger.load(new.id)
        same(loaded and loaded.begun, {3: 1.0})
        await ledger.finish_run(an_end(new.id))
        loaded = await ledger.load(new.id)
        same(loaded and loaded.begun, {})


async def _asking(ledger: Ledger, created_at: float = 100.0) -> tuple[str, str]:
    """A run that waits, and its wait."""
    new = a_run(created_at=created_at)
    await ledger.create_run(new, LEASE, Told())
    wait = a_wait(new.id)
    await ledger.open_wait(asked(wait))
    await ledger.park(a_park(new.id, wait.id))
    return new.id, wait.id


WORK: tuple[Contract, ...] = (
    run_is_leased,
    runs_are_listed,
    left_runs_are_claimed,
    own_runs_are_not_claimed,
    one_run_is_claimed,
    claims_do_not_meet,
    leases_are_renewed,
    runs_are_released,
    old_owners_are_fenced,
    intents_are_dropped,
)
"""The contracts of this module."""
