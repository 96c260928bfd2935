"""Contracts of the ledger: sessions are listed, closed, forked and deleted."""

from __future__ import annotations

from collections.abc import Iterable

from headgate.core.events import RunStarted
from headgate.stores.port import Ledger
from headgate.stores.records import Intent, NewRun, Produced, RunFilter, SessionFilter
from headgate.stores.told import Told
from headgate.stores.waits import Grant
from headgate.testing.ledger_checks import Contract, Opener, begin, found, open_session, refused, same, told
from headgate.testing.ledger_samples import (
    LEASE,
    a_commit,
    a_run,
    a_session,
    a_wait,
    an_answer,
    an_end,
    answered,
    asked,
    at,
)


async def sessions_are_listed(opener: Opener) -> None:
    """Sessions are listed newest first, page by page, by principal, agent and state, with what was said in each."""
    async with opener() as ledger:
        made = [await open_session(ledger, created_at=100.0 + n // 2) for n in range(5)]
        await open_session(ledger, principal="other", created_at=300.0)
        await open_session(ledger, agent="cook", created_at=301.0)
        await ledger.close_session(made[0].id)
        run = await begin(ledger, session_id=made[4].id)
        pair = (Produced(answered("a"), 1), Produced(answered("b"), 1))
        await ledger.commit_step(a_commit(run.id, messages=pair))
        newest = sorted(made, key=lambda session: (session.created_at, session.id), reverse=True)
        wanted = SessionFilter(principal="local", agent="clerk", limit=2)
        first = await ledger.sessions(wanted)
        same([each.session.id for each in first], [session.id for session in newest[:2]])
        same([(each.runs, each.messages) for each in first], [(1, 3), (0, 0)])
        last = first[-1].session
        rest = await ledger.sessions(
            SessionFilter(principal="local", agent="clerk", after=(last.created_at, last.id), limit=9)
        )
        same([each.session.id for each in rest], [session.id for session in newest[2:]])
        same([each.session.id for each in await ledger.sessions(SessionFilter(state="closed"))], [made[0].id])
        same(len(await ledger.sessions(SessionFilter())), 7)


async def session_knows_its_use(opener: Opener) -> None:
    """A session was used when its newest run began."""
    async with opener() as ledger:
        session = await open_session(ledger)
        for when in (120.0, 130.0):
            await begin(ledger, session_id=session.id, created_at=when)
        now = await ledger.session(session.id)
        same(now and now.updated_at, 130.0)


async def closed_is_closed(opener: Opener) -> None:
    """A closed session takes no run, keeps what it has, and cannot be closed again."""
    async with opener() as ledger:
        session = await open_session(ledger)
        run = await begin(ledger, session_id=session.id)
        same([await ledger.close_session(session.id), await ledger.close_session(session.id)], [True, False])
        same(await ledger.close_session("sess_none"), False)
        late = a_run(session_id=session.id)
        await refused(ledger.create_run(late, LEASE, Told()), "store_conflict")
        await ledger.commit_step(a_commit(run.id))
        now = await ledger.session(session.id)
        same((now and (now.state, now.head_run), await ledger.run(late.id)), (("closed", run.id), None))


async def deletion_is_whole(opener: Opener) -> None:
    """With a session go its runs, steps, messages, log, waits and grants, and nobody else's."""
    async with opener() as ledger:
        session, other = await open_session(ledger), await open_session(ledger)
        kept = await begin(ledger, session_id=other.id)
        run = await begin(ledger, at(1, RunStarted(agent="a", revision="r", model="m")), session_id=session.id)
        grant = Grant(session_id=session.id, policy="p", tool="t", qualifier="", granted_by="local", granted_at=150.0)
        wait = a_wait(run.id, session_id=session.id)
        await ledger.open_wait(asked(wait))
        await ledger.begin_call(Intent(run_id=run.id, fence=1, step=2, call_id="c", tool="t", at=1.0))
        await ledger.answer(an_answer(wait.id, grant=grant))
        await ledger.commit_step(a_commit(run.id))
        await ledger.finish_run(an_end(run.id))
        same([await ledger.delete_session(session.id), await ledger.delete_session(session.id)], [True, False])
        same((await ledger.session(session.id), await ledger.run(run.id), await ledger.wait(wait.id)), (None,) * 3)
        same((await ledger.steps(run.id), await told(ledger, run.id), await ledger.grants(session.id)), ((), [], ()))
        same([each.id for each in await ledger.runs(RunFilter())], [kept.id])


async def live_sessions_stay(opener: Opener) -> None:
    """A session with a run that has not ended, whatever it does, is not deleted."""
    async with opener() as ledger:
        session = await open_session(ledger)
        run = await begin(ledger, session_id=session.id)
        await refused(ledger.delete_session(session.id), "store_conflict")
        now = await ledger.session(session.id)
        same((now and now.state, (await found(ledger, run.id)).state), ("open", "running"))


async def forks_stay(opener: Opener) -> None:
    """What a fork stands on outlives the session that it was made in, and goes with the last fork."""
    async with opener() as ledger:
        first = await open_session(ledger)
        runs = [await begin(ledger, session_id=first.id)]
        for _ in range(2):
            await ledger.finish_run(an_end(runs[-1].id))
            runs.append(await begin(ledger, session_id=first.id, prior_run=runs[-1].id))
        await ledger.finish_run(an_end(runs[-1].id))
        second = await open_session(ledger, parent=first.id, head_run=runs[1].id)
        third = await open_session(ledger, parent=first.id, head_run=runs[0].id)
        more = await begin(ledger, session_id=third.id, prior_run=runs[0].id)
        await ledger.finish_run(an_end(more.id))
        same(await ledger.delete_session(first.id), True)
        same(await _there(ledger, runs), [True, True, False])
        same((await found(ledger, runs[0].id)).session_id, None)
        same([exchange.run_id for exchange in await ledger.conversation(second.id)], [runs[0].id, runs[1].id])
        await ledger.delete_session(second.id)
        same(await _there(ledger, runs), [True, False, False])
        same([exchange.run_id for exchange in await ledger.conversation(third.id)], [runs[0].id, more.id])
        await ledger.delete_session(third.id)
        same(await ledger.runs(RunFilter()), ())


async def forks_need_a_run(opener: Opener) -> None:
    """A session that would begin at a run which is not there is refused."""
    async with opener() as ledger:
        await refused(ledger.create_session(a_session(head_run="run_none", parent="sess_none")), "store_conflict")
        same(await ledger.sessions(SessionFilter()), ())


async def _there(ledger: Ledger, runs: Iterable[NewRun]) -> list[bool]:
    return [await ledger.run(run.id) is not None for run in runs]


SESSIONS: tuple[Contract, ...] = (
    sessions_are_listed,
    session_knows_its_use,
    closed_is_closed,
    deletion_is_whole,
    live_sessions_stay,
    forks_stay,
    forks_need_a_run,
)
"""The contracts of this module."""
