"""Contracts of the ledger: what is written comes back, and conversations are chains of runs."""

from __future__ import annotations

from headgate.core.messages import (
    ErrorInfo,
    File,
    Image,
    Message,
    Opaque,
    Text,
    Thinking,
    ToolCall,
    ToolOutcome,
    ToolResult,
    Usage,
)
from headgate.stores.records import Exchange, Produced, Progress
from headgate.stores.told import Told
from headgate.testing.ledger_checks import Contract, Opener, begin, found, refused, same
from headgate.testing.ledger_samples import LEASE, a_commit, a_run, a_session, a_step, an_end, answered, said


async def session_is_kept(opener: Opener) -> None:
    """A session comes back as it was made, and an unknown id is None."""
    async with opener() as ledger:
        session = a_session()
        await ledger.create_session(session)
        same(await ledger.session(session.id), session)
        same(await ledger.session("sess_none"), None)


async def session_id_is_unique(opener: Opener) -> None:
    """A second session of the same id is refused, and the first one stays."""
    async with opener() as ledger:
        session = a_session()
        await ledger.create_session(session)
        await refused(ledger.create_session(a_session(id=session.id, principal="other")), "store_conflict")
        same(await ledger.session(session.id), session)


async def live_sessions_are_counted(opener: Opener) -> None:
    """Only the principal's own sessions count, and of those only the open ones that have not expired."""
    async with opener() as ledger:
        for session in (a_session(), a_session(expires_at=300.0), a_session(expires_at=150.0)):
            await ledger.create_session(session)
        await ledger.create_session(a_session(principal="other"))
        await ledger.create_session(a_session(state="closed"))
        same(await ledger.count_sessions("local", 150.0), 2)
        same(await ledger.count_sessions("nobody", 150.0), 0)


async def sweep_spares_runs(opener: Opener) -> None:
    """The sweep deletes expired sessions, except those that have runs."""
    async with opener() as ledger:
        live, gone, used = a_session(expires_at=300.0), a_session(), a_session()
        for session in (live, gone, used):
            await ledger.create_session(session)
        await ledger.create_run(a_run(session_id=used.id), LEASE, Told())
        same(await ledger.sweep_sessions(200.0), 1)
        same(await ledger.session(gone.id), None)
        same([await ledger.session(kept.id) is not None for kept in (live, used)], [True, True])


async def run_begins(opener: Opener) -> None:
    """A new run is running with fence 1, has all that it was made with, and is the head of its session."""
    async with opener() as ledger:
        session = a_session()
        await ledger.create_session(session)
        new = await begin(ledger, session_id=session.id, channel="slack")
        run = await found(ledger, new.id)
        same((run.state, run.fence, run.started_at, run.ended_at), ("running", 1, 100.0, None))
        same((run.agent, run.principal, run.team, run.revision, run.model), ("clerk", "local", "ops", "r1", "m1"))
        same((run.session_id, run.prior_run, run.channel), (session.id, None, "slack"))
        same((run.turns, run.usage, run.cost, run.answer, run.error), (0, Usage(), 0.0, "", None))
        session_now = await ledger.session(session.id)
        same(session_now and session_now.head_run, new.id)


async def run_needs_no_session(opener: Opener) -> None:
    """A run without a session is kept, and an unknown run is None and has no steps."""
    async with opener() as ledger:
        new = await begin(ledger, messages=())
        same((await found(ledger, new.id)).session_id, None)
        same(await ledger.run("run_none"), None)
        same(await ledger.steps("run_none"), ())


async def run_creation_is_whole(opener: Opener) -> None:
    """A run whose id is taken, or whose session or prior run does not exist, leaves nothing behind."""
    async with opener() as ledger:
        session = a_session()
        await ledger.create_session(session)
        first, orphan = a_run(session_id=session.id), a_run(session_id="sess_none")
        await ledger.create_run(first, LEASE, Told())
        await refused(ledger.create_run(a_run(id=first.id, session_id=session.id), LEASE, Told()), "store_conflict")
        await refused(ledger.create_run(orphan, LEASE, Told()), "store_conflict")
        await refused(
            ledger.create_run(a_run(session_id=session.id, prior_run="run_none"), LEASE, Told()), "store_conflict"
        )
        same(await ledger.run(orphan.id), None)
        same([exchange.run_id for exchange in await ledger.conversation(session.id)], [first.id])
        same([exchange.posted for exchange in await ledger.conversation(session.id)], [(said("hello"),)])


async def conversation_is_a_chain(opener: Opener) -> None:
    """The conversation lists its exchanges oldest first, each with what was posted and what was produced."""
    async with opener() as ledger:
        session = a_session()
        await ledger.create_session(session)
        first = await begin(ledger, session_id=session.id, messages=(said("one"), answered("two"), said("three")))
        await ledger.commit_step(a_commit(first.id))
        await ledger.finish_run(an_end(first.id))
        second = await begin(ledger, session_id=session.id, prior_run=first.id, created_at=90.0)
        posted, produced = (said("one"), answered("two"), said("three")), (answered("turn 1"),)
        done = Exchange(run_id=first.id, answer="turn 1", state="completed", posted=posted, produced=produced)
        now = Exchange(run_id=second.id, answer="", state="running", posted=(said("hello"),), produced=())
        same(await ledger.conversation(session.id), (done, now))


async def conversation_may_fork(opener: Opener) -> None:
    """A run that continues an earlier one leaves out what came between; one without a prior run starts afresh."""
    async with opener() as ledger:
        session = a_session()
        await ledger.create_session(session)
        first = a_run(session_id=session.id)
        second = a_run(session_id=session.id, prior_run=first.id)
        fork = a_run(session_id=session.id, prior_run=first.id)
        for new in (first, second, fork):
            await ledger.create_run(new, LEASE, Told())
        same([exchange.run_id for exchange in await ledger.conversation(session.id)], [first.id, fork.id])
        fresh = await begin(ledger, session_id=session.id)
        same([exchange.run_id for exchange in await ledger.conversation(session.id)], [fresh.id])


async def conversation_may_be_empty(opener: Opener) -> None:
    """A session without runs and an unknown session have an empty conversation."""
    async with opener() as ledger:
        session = a_session()
        await ledger.create_session(session)
        same(await ledger.conversation(session.id), ())
        same(await ledger.conversation("sess_none"), ())


async def step_is_kept(opener: Opener) -> None:
    """A commit keeps its steps as they are, in order of their numbers, and the run's progress."""
    async with opener() as ledger:
        new = await begin(ledger)
        tool = {"kind": "tool", "name": "lookup", "usage": None, "args": {"q": "é", "deep": [1, 2.5, None, True]}}
        failed = ToolResult(
            status="error", error=ErrorInfo("tool_error", "no", retryable=True, details={"status": 500})
        )
        good = ToolResult(content=(Text("gold"),), structured={"plan": "gold"}, meta={"server": "crm"})
        calls = (
            a_step(3, call_id="b", status="error", result=failed, **tool),
            a_step(2, call_id="a", result=good, **tool),
        )
        await ledger.commit_step(a_commit(new.id, steps=(a_step(1, cost=0.25),)))
        await ledger.commit_step(a_commit(new.id, 2, steps=calls))
        same(await ledger.steps(new.id), (a_step(1, cost=0.25), *reversed(calls)))
        run = await found(ledger, new.id)
        same((run.turns, run.usage, run.cost, run.answer), (2, Usage(input=6, output=10), 0.5, "turn 2"))


async def parts_come_back(opener: Opener) -> None:
    """Every part of a message comes back as it was, opaque bytes included, and in its place."""
    async with opener() as ledger:
        session = a_session()
        await ledger.create_session(session)
        state = Opaque("anthropic", "m1", b"\x00\xff")
        posted = Message(
            "user", (Text("see 🙂\u2028"), Image("image/png", b"\x89PNG"), File("a.pdf", "application/pdf", b"%PDF"))
        )
        call = ToolCall("c1", "lookup", {"big": 2**70}, opaque=state)
        turn = Message("assistant", (Thinking("hm", state), call, ToolCall("c2", "lookup", None, malformed='{"a')))
        result = Message("user", (ToolOutcome("c1", "lookup", ToolResult(structured=[1])),))
        new = await begin(ledger, session_id=session.id, messages=(posted,))
        await ledger.commit_step(a_commit(new.id, messages=(Produced(turn, 1), Produced(result, 2))))
        (exchange,) = await ledger.conversation(session.id)
        same((exchange.posted, exchange.produced), ((posted,), (turn, result)))


async def odd_text_is_mended(opener: Opener) -> None:
    """Lone surrogates and NUL become U+FFFD, a surrogate pair its character, and all other text stays."""
    async with opener() as ledger:
        new = await begin(ledger)
        args = {"k\ud800": ["\udc00", "\ud83d\ude00"], "fine": "é\x01"}
        commit = a_commit(new.id, progress=Progress(turns=1, answer="a\ud800b\0c"), steps=(a_step(1, args=args),))
        await ledger.commit_step(commit)
        same((await found(ledger, new.id)).answer, "a\ufffdb\ufffdc")
        (step,) = await ledger.steps(new.id)
        same(step.args, {"k\ufffd": ["\ufffd", "\U0001f600"], "fine": "é\x01"})


RECORDS: tuple[Contract, ...] = (
    session_is_kept,
    session_id_is_unique,
    live_sessions_are_counted,
    sweep_spares_runs,
    run_begins,
    run_needs_no_session,
    run_creation_is_whole,
    conversation_is_a_chain,
    conversation_may_fork,
    conversation_may_be_empty,
    step_is_kept,
    parts_come_back,
    odd_text_is_mended,
)
"""The contracts of this module."""
