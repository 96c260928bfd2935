"""Contracts of the ledger: what is old goes, what is in use stays."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from headgate.core.errors import StoreError
from headgate.core.events import RunStarted
from headgate.stores.port import Ledger
from headgate.stores.records import NewRun, RunFilter, SessionFilter
from headgate.stores.sweep import Cutoffs, Swept
from headgate.stores.told import Batch
from headgate.testing.ledger_checks import Contract, Opener, begin, found, open_session, refused, same, told
from headgate.testing.ledger_samples import a_commit, a_park, a_wait, an_end, asked, at, deltas

NONE = Swept()


async def logs_are_swept(opener: Opener) -> None:
    """The logs of runs that ended before the cutoff go, in bounded chunks; what the runs said and did stays."""
    async with opener() as ledger:
        session = await open_session(ledger)
        old = [await _ended(ledger, 110.0 + n, session_id=session.id) for n in range(3)]
        new, live = await _ended(ledger, 200.0), await begin(ledger, *deltas(1, "a"))
        same(await ledger.sweep(Cutoffs(), 100), NONE)
        swept = [await ledger.sweep(Cutoffs(events=150.0), 4) for _ in range(4)]
        same([each.events for each in swept], [4, 4, 1, 0])
        same((swept[0].more, swept[3]), (True, NONE))
        same([len(await told(ledger, run.id)) for run in (*old, new, live)], [0, 0, 0, 3, 1])
        same([len(await ledger.steps(run.id)) for run in old], [1, 1, 1])
        same(len(await ledger.conversation(session.id)), 1)


async def lone_runs_are_swept(opener: Opener) -> None:
    """Runs of no session go when they are old, those that stand on others first; of runs of a session only steps."""
    async with opener() as ledger:
        session = await open_session(ledger, expires_at=1e9)
        base = await _ended(ledger, 110.0)
        chain = [base, await _ended(ledger, 111.0, prior_run=base.id)]
        chain.append(await _ended(ledger, 112.0, prior_run=chain[1].id))
        stood_on = await _ended(ledger, 110.0)
        stands = await _ended(ledger, 120.0, prior_run=stood_on.id, session_id=session.id)
        new, live = await _ended(ledger, 200.0), await begin(ledger)
        swept = await _all(ledger, Cutoffs(runs=150.0))
        same((swept.runs, swept.sessions, swept.events), (3, 0, 0))
        left = {run.id for run in await ledger.runs(RunFilter())}
        same(left, {stood_on.id, stands.id, new.id, live.id})
        same((len(await ledger.steps(stands.id)), len(await ledger.conversation(session.id))), (0, 2))
        same(await ledger.sweep(Cutoffs(runs=150.0), 100), NONE)


async def idle_sessions_are_swept(opener: Opener) -> None:
    """Sessions that were last used before the cutoff go with their runs, unless one of these has not ended."""
    async with opener() as ledger:
        unused, used = await open_session(ledger), await open_session(ledger)
        idle, waiting = await open_session(ledger), await open_session(ledger)
        new = await open_session(ledger, created_at=180.0, expires_at=900.0)
        await _ended(ledger, 210.0, session_id=used.id, created_at=200.0)
        gone = await _ended(ledger, 110.0, session_id=idle.id)
        parked = await begin(ledger, session_id=waiting.id)
        wait = a_wait(parked.id)
        await ledger.open_wait(asked(wait))
        await ledger.park(a_park(parked.id, wait.id))
        swept = await _all(ledger, Cutoffs(sessions=150.0))
        same((swept.sessions, await ledger.run(gone.id), await ledger.session(unused.id)), (2, None, None))
        left = {each.session.id for each in await ledger.sessions(SessionFilter())}
        same(left, {used.id, waiting.id, new.id})
        same((await found(ledger, parked.id)).state, "waiting")


async def sweeps_spare_forks(opener: Opener) -> None:
    """What a fork that is in use stands on stays when its session is swept, and goes after the fork."""
    async with opener() as ledger:
        first = await open_session(ledger)
        base = await _ended(ledger, 110.0, session_id=first.id)
        fork = await open_session(ledger, parent=first.id, head_run=base.id, created_at=300.0)
        cutoffs = Cutoffs(events=150.0, runs=150.0, sessions=150.0)
        swept = await _all(ledger, cutoffs)
        same((swept.sessions, swept.runs, (await found(ledger, base.id)).session_id), (1, 0, None))
        same([exchange.run_id for exchange in await ledger.conversation(fork.id)], [base.id])
        await ledger.delete_session(fork.id)
        same(await ledger.runs(RunFilter()), ())


async def copies_are_whole(opener: Opener) -> None:
    """A backup is a new file that only the user can read, and leaves an old one alone; the size is known."""
    async with opener() as ledger:
        await _ended(ledger, 110.0)
        same(await ledger.size() >= 0, True)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "copy"
            try:
                await ledger.backup(path)
            except StoreError as error:
                same((error.code, path.exists()), ("store_unsupported", False))
                return
            content = path.read_bytes()
            same(path.stat().st_mode & 0o077, 0)
            await refused(ledger.backup(path), "store_conflict")
            same(path.read_bytes() == content, True)
            await refused(ledger.backup(Path(folder) / "none" / "copy"), "store_readonly")


async def _ended(ledger: Ledger, when: float, **changes: Any) -> NewRun:
    """A run of one step that told three events and ended then."""
    new = await begin(ledger, at(1, RunStarted(agent="clerk", revision="r1", model="m1")), **changes)
    await ledger.append_events([Batch(new.id, 1, deltas(2, "a")), Batch(new.id, 1, deltas(3, "b"))])
    await ledger.commit_step(a_commit(new.id))
    await ledger.finish_run(an_end(new.id, ended_at=when))
    return new


async def _all(ledger: Ledger, cutoffs: Cutoffs) -> Swept:
    """Sweeps until there is nothing more; the sums."""
    swept = await ledger.sweep(cutoffs, 2)
    if not swept.more:
        return swept
    rest = await _all(ledger, cutoffs)
    return Swept(
        events=swept.events + rest.events,
        runs=swept.runs + rest.runs,
        steps=swept.steps + rest.steps,
        sessions=swept.sessions + rest.sessions,
    )


UPKEEP: tuple[Contract, ...] = (
    logs_are_swept,
    lone_runs_are_swept,
    idle_sessions_are_swept,
    sweeps_spare_forks,
    copies_are_whole,
)
"""The contracts of this module."""
