"""Contracts of the ledger: waits are settled once, and wake their runs."""

from __future__ import annotations

import asyncio
from typing import Any

from headgate.core.events import RunState
from headgate.core.messages import Text, ToolResult
from headgate.core.passage import Pass, Trail
from headgate.stores.port import Ledger
from headgate.stores.records import Progress
from headgate.stores.waits import Grant, Vote, WaitFilter, WaitRecord
from headgate.testing.ledger_checks import Contract, Opener, begin, found, open_session, refused, same
from headgate.testing.ledger_samples import LEASE, a_park, a_wait, an_answer, an_end, asked

YES = Vote(by="boss", decision="approve", at=150.0, reason="fine", edited_args={"sum": 4})


async def wait_is_kept(opener: Opener) -> None:
    """A wait comes back as it was made, an unknown one is None, and one of the same id is refused."""
    async with opener() as ledger:
        session = await open_session(ledger)
        new = await begin(ledger, session_id=session.id)
        many: dict[str, Any] = {
            "approvers": ("boss", "ops"),
            "quorum": 2,
            "shown": ({"label": "Sum", "value": 5},),
            "qualifier": "5",
        }
        trail = Trail(
            (Pass("limit"), Pass("shape", args={"é": [1]}, memo={"n": 1}), Pass("x", False)), {"tainted": "t"}
        )
        many |= {"trail": trail, "args": {"é": [None]}}
        wait = a_wait(new.id, session_id=session.id, policy="p", may_remember=True, **many)
        await ledger.open_wait(asked(wait))
        same((await ledger.wait(wait.id), await ledger.wait("wait_none")), (wait, None))
        await refused(ledger.open_wait(asked(wait)), "store_conflict")
        same(await ledger.count_waits(), 1)


async def waits_are_listed(opener: Opener) -> None:
    """Waits are listed newest first, page by page, by what is asked for."""
    async with opener() as ledger:
        first, second = await begin(ledger), await begin(ledger)
        made = [await _asked(ledger, a_wait(first.id, created_at=100.0 + n // 2)) for n in range(5)]
        other = await _asked(ledger, a_wait(second.id, kind="client_tool", call_id="c9", session_id="sess_1"))
        await ledger.answer(an_answer(made[0].id))
        newest = [wait.id for wait in sorted(made, key=lambda wait: (wait.created_at, wait.id), reverse=True)]
        page = await ledger.waits(WaitFilter(run_id=first.id, limit=2))
        same([wait.id for wait in page], newest[:2])
        after = (page[-1].created_at, page[-1].id)
        same([wait.id for wait in await ledger.waits(WaitFilter(run_id=first.id, after=after))], newest[2:])
        for wanted in (
            WaitFilter(kind="client_tool"),
            WaitFilter(call_id="c9", session_id="sess_1", state="pending"),
            WaitFilter(run_id=second.id),
        ):
            same([wait.id for wait in await ledger.waits(wanted)], [other.id])
        same([wait.id for wait in await ledger.waits(WaitFilter(state="approved"))], [made[0].id])
        same((len(await ledger.waits(WaitFilter())), await ledger.count_waits()), (6, 5))


async def viewers_see_theirs(opener: Opener) -> None:
    """A viewer sees what belongs to its key, and what names its key or its team to the letter, and nothing else."""
    async with opener() as ledger:
        new = await begin(ledger)
        named = {"mine": (), "key": ("boss", "me"), "team": ("sales", 'q"é'), "case": ("Me", "mé"), "part": ("me2",)}
        for call, approvers in named.items():
            principal = "me" if call == "mine" else "somebody"
            await _asked(ledger, a_wait(new.id, call_id=call, principal=principal, approvers=approvers))
        for viewer, wanted in (
            (("me", 'q"é'), {"mine", "key", "team"}),
            (("me", "none"), {"mine", "key"}),
            (("boss", "sales"), {"key", "team"}),
            (("sale", "e"), set()),
            (("somebody", "x"), {"key", "team", "case", "part"}),
        ):
            same({wait.call_id for wait in await ledger.waits(WaitFilter(viewer=viewer))}, wanted)


async def first_answer_wins(opener: Opener) -> None:
    """The first answer settles a wait, with its votes or its result, and the second changes nothing."""
    async with opener() as ledger:
        new = await begin(ledger)
        wait = await _asked(ledger, a_wait(new.id))
        settled = await ledger.answer(an_answer(wait.id, votes=(YES,)))
        same(settled and (settled.state, settled.votes, settled.resolved_at), ("approved", (YES,), 150.0))
        same(settled and settled.revision, 2)
        result = ToolResult(content=(Text("late"),))
        same(await ledger.answer(an_answer(wait.id, state="denied", result=result)), None)
        same((await ledger.wait(wait.id), await ledger.answer(an_answer("wait_none"))), (settled, None))
        second = await _asked(ledger, a_wait(new.id, kind="client_tool"))
        settled = await ledger.answer(an_answer(second.id, state="answered", result=result))
        same(settled and (settled.state, settled.result), ("answered", result))


async def one_of_many_answers_wins(opener: Opener) -> None:
    """Of answers that come at once exactly one settles the wait."""
    async with opener() as ledger, opener() as second:
        new = await begin(ledger)
        wait = await _asked(ledger, a_wait(new.id))
        answers = [
            (ledger, second)[n % 2].answer(an_answer(wait.id, votes=(Vote(by=str(n), decision="approve", at=150.0),)))
            for n in range(10)
        ]
        settled = [record for record in await asyncio.gather(*answers) if record]
        same(settled, [await ledger.wait(wait.id)])


async def votes_are_added(opener: Opener) -> None:
    """A vote that needs others is kept, and its run waits on; an answer to another revision changes nothing."""
    async with opener() as ledger:
        new = await begin(ledger)
        wait = await _asked(ledger, a_wait(new.id, quorum=2))
        await ledger.park(a_park(new.id, wait.id))
        first = await ledger.answer(an_answer(wait.id, state="pending", votes=(YES,), revision=1))
        same(first and (first.state, first.votes, first.resolved_at, first.revision), ("pending", (YES,), None, 2))
        same((await _state(ledger, new.id), await ledger.count_waits()), ("waiting", 1))
        same(await ledger.answer(an_answer(wait.id, revision=1)), None)
        same(await ledger.wait(wait.id), first)
        last = await ledger.answer(an_answer(wait.id, votes=(YES, YES), revision=2))
        same(last and (last.state, last.votes, last.resolved_at), ("approved", (YES, YES), 150.0))
        same(await _state(ledger, new.id), "queued")


async def one_of_many_votes_is_added(opener: Opener) -> None:
    """Of votes to one revision that come at once exactly one is kept, so that none overwrites another."""
    async with opener() as ledger, opener() as second:
        new = await begin(ledger)
        wait = await _asked(ledger, a_wait(new.id, quorum=9))
        votes = [(Vote(by=str(n), decision="approve", at=150.0),) for n in range(10)]
        answers = [
            (ledger, second)[n % 2].answer(an_answer(wait.id, state="pending", votes=each, revision=1))
            for n, each in enumerate(votes)
        ]
        kept = [record for record in await asyncio.gather(*answers) if record]
        same(kept, [await ledger.wait(wait.id)])


async def late_answers_are_refused(opener: Opener) -> None:
    """An answer that comes when the time is over settles nothing, also when nobody has said so yet."""
    async with opener() as ledger:
        new = await begin(ledger)
        wait = await _asked(ledger, a_wait(new.id))
        same(await ledger.answer(an_answer(wait.id, at=200.0)), None)
        same(await ledger.wait(wait.id), wait)
        same(await ledger.expire_waits(200.0, 9), 1)
        same(await ledger.answer(an_answer(wait.id, at=199.0)), None)


async def answers_queue_runs(opener: Opener) -> None:
    """A waiting run is queued by an answer, whatever else it waits for, and a running one goes on."""
    async with opener() as ledger:
        new = await begin(ledger)
        waits = [await _asked(ledger, a_wait(new.id)) for _ in range(3)]
        await ledger.answer(an_answer(waits[0].id))
        same((await found(ledger, new.id)).state, "running")
        parked = a_park(new.id, waits[1].id, waits[2].id, progress=Progress(turns=3, elapsed=2.5))
        same(await ledger.park(parked), "waiting")
        run = await found(ledger, new.id)
        same((run.state, run.lease_owner, run.lease_until, run.fence), ("waiting", None, None, 1))
        same((run.turns, run.elapsed), (3, 2.5))
        await ledger.answer(an_answer(waits[1].id))
        same((await found(ledger, new.id)).state, "queued")
        await ledger.answer(an_answer(waits[2].id))
        (run,) = await ledger.claim(LEASE, 9)
        same((run.id, run.state, run.fence), (new.id, "running", 2))
        loaded = await ledger.load(new.id)
        same(loaded and [wait.state for wait in loaded.waits], ["approved"] * 3)


async def parking_misses_no_answer(opener: Opener) -> None:
    """A run that parks on a wait which was settled meanwhile is queued at once."""
    async with opener() as ledger:
        for settle in (an_answer, None):
            new = await begin(ledger)
            waits = [await _asked(ledger, a_wait(new.id, expires_at=200.0 + n)) for n in range(2)]
            if settle:
                await ledger.answer(settle(waits[0].id))
            else:
                await ledger.expire_waits(200.0, 9)
            same(await ledger.park(a_park(new.id, *(wait.id for wait in waits))), "queued")
            same((await found(ledger, new.id)).lease_owner, None)
            await refused(ledger.park(a_park(new.id)), "fenced")


async def parking_and_answers_meet(opener: Opener) -> None:
    """However parking and an answer meet, the run is queued in the end."""
    async with opener() as ledger, opener() as second:
        runs = [(await begin(ledger)).id for _ in range(20)]
        waits = [await _asked(ledger, a_wait(run)) for run in runs]
        pairs = [
            (ledger.park(a_park(run, wait.id)), second.answer(an_answer(wait.id)))
            for run, wait in zip(runs, waits, strict=True)
        ]
        await asyncio.gather(*(work for i, pair in enumerate(pairs) for work in (pair if i % 2 else pair[::-1])))
        same([await _state(ledger, run) for run in runs], ["queued"] * 20)


async def waits_expire(opener: Opener) -> None:
    """What is over is settled as expired, the oldest first, and wakes its run; what is not stays."""
    async with opener() as ledger:
        new, other = await begin(ledger), await begin(ledger)
        late, early = a_wait(new.id, expires_at=180.0), a_wait(other.id, expires_at=170.0)
        stays = a_wait(other.id, expires_at=190.5)
        for wait in (late, early, stays):
            await ledger.open_wait(asked(wait))
        await ledger.park(a_park(new.id, late.id))
        same((await ledger.next_expiry(), await ledger.expire_waits(169.0, 9)), (170.0, 0))
        same([await ledger.expire_waits(190.0, 1) for _ in range(3)], [1, 1, 0])
        record = await ledger.wait(early.id)
        same(record and (record.state, record.resolved_at, record.revision), ("expired", 190.0, 2))
        same((await _state(ledger, new.id), await _state(ledger, other.id)), ("queued", "running"))
        same((await ledger.wait(stays.id), await ledger.next_expiry()), (stays, 190.5))
        await ledger.answer(an_answer(stays.id))
        same(await ledger.next_expiry(), None)


async def end_cancels_waits(opener: Opener) -> None:
    """The end of a run cancels what it waited for, and leaves what is settled."""
    async with opener() as ledger:
        new = await begin(ledger)
        open_, done = await _asked(ledger, a_wait(new.id)), await _asked(ledger, a_wait(new.id))
        await ledger.answer(an_answer(done.id))
        await ledger.finish_run(an_end(new.id))
        record, settled = await ledger.wait(open_.id), await ledger.wait(done.id)
        same(record and (record.state, record.resolved_at, record.revision), ("cancelled", 110.0, 2))
        same(settled and settled.state, "approved")
        same((await ledger.answer(an_answer(open_.id)), await ledger.expire_waits(999.0, 9)), (None, 0))
        same((await _state(ledger, new.id), await ledger.count_waits()), ("completed", 0))


async def grants_are_kept(opener: Opener) -> None:
    """An answer may be remembered for its session, once for each policy, tool and qualifier, until it is revoked."""
    async with opener() as ledger:
        session = await open_session(ledger)
        new = await begin(ledger, session_id=session.id)
        whose = {"session_id": session.id, "policy": "p", "qualifier": "", "granted_by": "boss"}
        grants = [Grant(**whose, tool=tool, granted_at=150.0) for tool in ("a", "b", "c")]
        again = Grant(**{**whose, "granted_by": "deputy"}, tool="a", granted_at=160.0)
        waits = [await _asked(ledger, a_wait(new.id)) for _ in range(4)]
        for wait, grant in zip(waits, (*grants, again), strict=True):
            await ledger.answer(an_answer(wait.id, grant=grant))
        same(await ledger.grants(session.id), (*grants[1:], again))
        same(await ledger.answer(an_answer(waits[0].id, grant=Grant(**whose, tool="d", granted_at=150.0))), None)
        same((await ledger.revoke_grants(session.id, "b"), await ledger.grants(session.id)), (1, (grants[2], again)))
        same((await ledger.revoke_grants(session.id), await ledger.grants(session.id)), (2, ()))
        same(await ledger.revoke_grants("sess_none"), 0)


async def answer_is_whole(opener: Opener) -> None:
    """An answer whose grant is refused settles nothing."""
    async with opener() as ledger:
        new = await begin(ledger)
        wait = await _asked(ledger, a_wait(new.id))
        await ledger.park(a_park(new.id, wait.id))
        grant = Grant(session_id="sess_none", policy="p", tool="a", qualifier="", granted_by="b", granted_at=1.0)
        await refused(ledger.answer(an_answer(wait.id, grant=grant)), "store_conflict")
        same((await ledger.wait(wait.id), await _state(ledger, new.id)), (wait, "waiting"))


async def _asked(ledger: Ledger, wait: WaitRecord) -> WaitRecord:
    await ledger.open_wait(asked(wait))
    return wait


async def _state(ledger: Ledger, run_id: str) -> RunState:
    return (await found(ledger, run_id)).state


WAITS: tuple[Contract, ...] = (
    wait_is_kept,
    waits_are_listed,
    viewers_see_theirs,
    first_answer_wins,
    one_of_many_answers_wins,
    votes_are_added,
    one_of_many_votes_is_added,
    late_answers_are_refused,
    answers_queue_runs,
    parking_misses_no_answer,
    parking_and_answers_meet,
    waits_expire,
    end_cancels_waits,
    grants_are_kept,
    answer_is_whole,
)
"""The contracts of this module."""
