"""The contract of `Ledger`, as functions that any back-end must pass: `CONTRACTS`.

Each contract takes an `Opener` of one store that is empty when the contract begins. A test runs them all:

    @pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
    async def test_contract(contract, tmp_path):
        await contract(lambda: open_ledger("sqlite:///state.db", tmp_path))
"""

from __future__ import annotations

import asyncio

from headgate.core.errors import StoreError
from headgate.core.messages import ErrorInfo
from headgate.stores.records import Produced, Progress
from headgate.stores.told import Told
from headgate.testing.ledger_audit import AUDIT, many_write_one_chain
from headgate.testing.ledger_checks import Contract, Opener, begin, found, refused, same
from headgate.testing.ledger_credentials import CREDENTIALS, credentials_survive
from headgate.testing.ledger_documents import DOCUMENTS, documents_survive
from headgate.testing.ledger_inputs import INPUTS
from headgate.testing.ledger_logs import LOGS
from headgate.testing.ledger_records import RECORDS
from headgate.testing.ledger_samples import LEASE, a_commit, a_run, a_session, a_step, an_end, answered
from headgate.testing.ledger_sessions import SESSIONS
from headgate.testing.ledger_upkeep import UPKEEP
from headgate.testing.ledger_usage import USAGE
from headgate.testing.ledger_waits import WAITS, one_of_many_answers_wins, parking_and_answers_meet
from headgate.testing.ledger_work import WORK, claims_do_not_meet


async def commit_is_whole(opener: Opener) -> None:
    """A commit of which one row is refused or has no JSON form leaves nothing behind."""
    async with opener() as ledger:
        new = await begin(ledger)
        await ledger.commit_step(a_commit(new.id))
        before = await found(ledger, new.id)
        await refused(ledger.commit_step(a_commit(new.id, 2, steps=(a_step(2), a_step(1)))), "store_conflict")
        await refused(ledger.commit_step(a_commit(new.id, 2, steps=(a_step(2, args={"x": object()}),))), "store_error")
        await refused(ledger.finish_run(an_end(new.id, steps=(a_step(1),))), "store_conflict")
        same(await found(ledger, new.id), before)
        same(await ledger.steps(new.id), (a_step(1),))


async def end_is_kept(opener: Opener) -> None:
    """The last step, its message and the end of a run are one commit."""
    async with opener() as ledger:
        session, error = a_session(), ErrorInfo("provider_error", "gone", retryable=True, details={"status": 529})
        await ledger.create_session(session)
        new = await begin(ledger, session_id=session.id)
        last = {"steps": (a_step(1),), "messages": (Produced(answered("bye"), 1),)}
        await ledger.finish_run(an_end(new.id, state="failed", outcome="error", error=error, **last))
        run = await found(ledger, new.id)
        same((run.state, run.outcome, run.error, run.ended_at), ("failed", "error", error, 110.0))
        same((run.turns, run.answer), (1, "turn 1"))
        same(await ledger.steps(new.id), (a_step(1),))
        same([exchange.produced for exchange in await ledger.conversation(session.id)], [(answered("bye"),)])


async def fence_is_held(opener: Opener) -> None:
    """Nothing can be written under another fence, to an ended run, or to a run that does not exist."""
    async with opener() as ledger:
        new = await begin(ledger)
        await refused(ledger.commit_step(a_commit(new.id, fence=2)), "fenced")
        await refused(ledger.finish_run(an_end(new.id, fence=2)), "fenced")
        same(await ledger.steps(new.id), ())
        await ledger.finish_run(an_end(new.id, state="cancelled", outcome="cancelled"))
        ended = await found(ledger, new.id)
        await refused(ledger.commit_step(a_commit(new.id)), "fenced")
        await refused(ledger.finish_run(an_end(new.id)), "fenced")
        await refused(ledger.commit_step(a_commit("run_none")), "fenced")
        same((await found(ledger, new.id), await ledger.steps(new.id)), (ended, ()))


async def commits_run_together(opener: Opener) -> None:
    """Of a hundred commits at once each is kept whole, and those that fail half-way leave nothing and hurt no other."""
    async with opener() as ledger:
        runs = [a_run() for _ in range(100)]
        await asyncio.gather(*(ledger.create_run(new, LEASE, Told()) for new in runs))
        twice, once = (a_step(1), a_step(1)), (a_step(1),)
        commits = [a_commit(new.id, steps=once if i % 10 else twice) for i, new in enumerate(runs)]
        results = await asyncio.gather(*map(ledger.commit_step, commits), return_exceptions=True)
        same([i for i, result in enumerate(results) if isinstance(result, StoreError)], list(range(0, 100, 10)))
        kept = [(len(await ledger.steps(new.id)), (await found(ledger, new.id)).turns) for new in runs]
        same(kept, [(1, 1) if i % 10 else (0, 0) for i in range(100)])


async def order_is_kept(opener: Opener) -> None:
    """Commits of one run that are asked at once are kept in the order in which they were asked."""
    async with opener() as ledger:
        session = a_session()
        await ledger.create_session(session)
        new = await begin(ledger, session_id=session.id)
        await asyncio.gather(*(ledger.commit_step(a_commit(new.id, n)) for n in range(1, 21)))
        (exchange,) = await ledger.conversation(session.id)
        same([message.text for message in exchange.produced], [f"turn {n}" for n in range(1, 21)])
        same((exchange.answer, (await found(ledger, new.id)).turns), ("turn 20", 20))


async def cancelled_commit_is_whole(opener: Opener) -> None:
    """When the awaiting task is cancelled the step is kept whole or not at all, and the ledger goes on."""
    async with opener() as ledger:
        new = await begin(ledger)
        task = asyncio.create_task(ledger.commit_step(a_commit(new.id)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await ledger.commit_step(a_commit(new.id, 2, progress=Progress(turns=2)))
        kept = await ledger.steps(new.id)
        same(kept, (a_step(1), a_step(2))[-len(kept) :])


async def restart_keeps_all(opener: Opener) -> None:
    """What was committed is there when the store is opened again."""
    async with opener() as ledger:
        session = a_session()
        await ledger.create_session(session)
        new = await begin(ledger, session_id=session.id)
        await ledger.commit_step(a_commit(new.id))
        before = (await ledger.run(new.id), await ledger.steps(new.id), await ledger.conversation(session.id))
    async with opener() as ledger:
        after = (await ledger.run(new.id), await ledger.steps(new.id), await ledger.conversation(session.id))
        same(after, before)


async def close_finishes(opener: Opener) -> None:
    """Closing finishes what was asked before, refuses what comes after, and may be done twice."""
    new = a_run()
    async with opener() as ledger:
        await ledger.ping()
        asked = asyncio.create_task(ledger.create_run(new, LEASE, Told()))
        await asyncio.sleep(0)
        await ledger.close()
        await ledger.close()
        await asked
        await refused(ledger.ping(), "store_closed")
        await refused(ledger.create_run(a_run(), LEASE, Told()), "store_closed")
    async with opener() as ledger:
        same((await found(ledger, new.id)).state, "running")


CONTRACTS: tuple[Contract, ...] = (
    *RECORDS,
    *SESSIONS,
    *LOGS,
    *WORK,
    *WAITS,
    *INPUTS,
    *UPKEEP,
    *DOCUMENTS,
    *CREDENTIALS,
    *AUDIT,
    *USAGE,
    commit_is_whole,
    end_is_kept,
    fence_is_held,
    commits_run_together,
    order_is_kept,
    cancelled_commit_is_whole,
    restart_keeps_all,
    close_finishes,
)
"""Every promise of `Ledger`; a back-end keeps them all."""

TWICE: frozenset[Contract] = frozenset(
    {
        restart_keeps_all,
        close_finishes,
        claims_do_not_meet,
        one_of_many_answers_wins,
        parking_and_answers_meet,
        documents_survive,
        credentials_survive,
        many_write_one_chain,
    }
)
"""Those that open the store more than once, which a store in memory cannot pass."""
