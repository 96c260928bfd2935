"""Contracts of the ledger: logs of runs come back event by event, however they are kept and read."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from headgate.core.events import (
    ApprovalResolved,
    AttemptStarted,
    Event,
    MessageCompleted,
    Pending,
    RunCompleted,
    RunStarted,
    RunWaiting,
    TextDelta,
    ToolCompleted,
    ToolStarted,
)
from headgate.core.messages import ErrorInfo, Text, ToolResult, Usage
from headgate.stores.port import Ledger
from headgate.stores.records import Intent
from headgate.stores.told import Batch, Told
from headgate.testing.ledger_checks import Contract, Opener, begin, same, shown, told
from headgate.testing.ledger_samples import LEASE, a_commit, a_park, a_wait, an_end, asked, at, deltas

STARTED = RunStarted(agent="clerk", revision="r1", model="m1")


def turned(n: int, text: str, thinking: str = "") -> MessageCompleted:
    """The end of the first model turn."""
    return at(n, MessageCompleted(text=text, thinking=thinking, usage=Usage(input=1), model="m1", step=1))


async def events_come_back(opener: Opener) -> None:
    """Events come back as they were told, each with its run and its members, in the order of their ids."""
    async with opener() as ledger:
        result = ToolResult(content=(Text("é\u2028"),), structured={"a": [1]}, error=ErrorInfo("x", "y"))
        new = await begin(ledger, at(1, STARTED))
        call = ToolStarted(call_id="c", name="t", args={"q": None}, index=0, step=2)
        done = ToolCompleted(call_id="c", name="t", result=result, duration_ms=3, step=2, path=("a", "b"))
        wait = RunWaiting(waits=(Pending("w", "approval", "c", "t", 200.0),))
        await ledger.append_events([Batch(new.id, 1, (at(2, call), at(3, done), at(4, wait)))])
        wanted = [at(1, STARTED), at(2, call), at(3, done), at(4, wait)]
        for event in wanted:
            event.run = new.id
        same(await told(ledger, new.id), wanted)
        same((await ledger.events(new.id, (1, 4), 9), await ledger.events("run_none", (0, 0), 9)), ((), ()))


async def every_write_tells(opener: Opener) -> None:
    """What a transaction tells is in the log as soon as it is kept, whichever it is."""
    async with opener() as ledger:
        new = await begin(ledger, at(1, STARTED))

        def one(n: int) -> Told:
            return Told((at(n, TextDelta(text=str(n))),))

        await ledger.begin_call(Intent(run_id=new.id, fence=1, step=2, call_id="c", tool="t", at=1.0, told=one(2)))
        wait = a_wait(new.id)
        await ledger.open_wait(asked(wait, *one(3).events))
        await ledger.commit_step(a_commit(new.id, told=one(4)))
        await ledger.park(a_park(new.id, wait.id, told=one(5)))
        await ledger.claim_run(new.id, LEASE)
        end = at(1, RunCompleted(outcome="success", usage=Usage(), cost=0.5, turns=1), 2)
        await ledger.finish_run(an_end(new.id, fence=2, told=Told((end,))))
        same([event.id for event in await told(ledger, new.id)], ["1-1", "1-2", "1-3", "1-4", "1-5", "2-1"])


async def deltas_come_back(opener: Opener) -> None:
    """Deltas that were flushed come back one by one, wherever reading begins and however much is read."""
    async with opener() as ledger:
        new = await begin(ledger, at(1, STARTED))
        pieces = deltas(2, "a", "bé", "", "[hm]", "[]", "🙂", "c")
        other = (*deltas(9, "d", step=2), *deltas(10, "e", step=1))
        await ledger.append_events([Batch(new.id, 1, pieces), Batch(new.id, 1, other)])
        await ledger.append_events([Batch(new.id, 1, deltas(11, "f"))])
        await _reads(ledger, new.id, (at(1, STARTED), *pieces, *other, *deltas(11, "f")))


async def turn_replaces_deltas(opener: Opener) -> None:
    """A committed turn drops its deltas' rows, and they come back out of its message all the same."""
    async with opener() as ledger:
        new = await begin(ledger, at(1, STARTED))
        pieces = deltas(2, "Hé", "[let me", "see]", "llo ", "", "🙂", "[ing]")
        pieces = tuple(at(n, piece) for n, piece in enumerate(pieces, 2))
        await ledger.append_events([Batch(new.id, 1, pieces[:3])])
        said = "".join(piece.text for piece in pieces if isinstance(piece, TextDelta))
        thought = "".join(piece.text for piece in pieces if not isinstance(piece, TextDelta))
        message = turned(9, said, thought)
        after = at(10, ToolStarted(call_id="c", name="t", args={}, index=0, step=2))
        await ledger.commit_step(a_commit(new.id, told=Told((message, after), pieces)))
        await _reads(ledger, new.id, (at(1, STARTED), *pieces, message, after))


async def odd_turns_come_back(opener: Opener) -> None:
    """Deltas that are not what their message says, or do not stand right before it, come back all the same."""
    odd = (
        (deltas(2, "other"), turned(3, "text")),
        (deltas(2, "a", "[]"), turned(4, "a")),
        (deltas(2, "gap"), turned(4, "gap")),
        (deltas(2, "[a]", "b"), turned(4, "b", "A")),
        ((*deltas(2, "a"), *deltas(4, "b")), turned(5, "ab")),
        (deltas(2, "step", step=2), turned(3, "step")),
    )
    async with opener() as ledger:
        for pieces, message in odd:
            new = await begin(ledger, at(1, STARTED))
            await ledger.append_events([Batch(new.id, 1, pieces)])
            await ledger.commit_step(a_commit(new.id, told=Told((message,), pieces)))
            await _reads(ledger, new.id, (at(1, STARTED), *pieces, message))


async def odd_deltas_are_mended(opener: Opener) -> None:
    """Characters that no database takes become U+FFFD in deltas too, and none is lost or doubled."""
    async with opener() as ledger:
        new = await begin(ledger)
        pieces = deltas(1, "a\0", "\ud83d", "\ude00")
        await ledger.commit_step(a_commit(new.id, told=Told((turned(4, "a\0\ud83d\ude00"),), pieces)))
        found = await told(ledger, new.id)
        same([getattr(event, "text", "") for event in found], ["a\ufffd", "\ufffd", "\ufffd", "a\ufffd\U0001f600"])


async def voided_deltas_go(opener: Opener) -> None:
    """With a turn's commit go the deltas of its earlier attempts, also under earlier fences, and those of no other."""
    async with opener() as ledger:
        new = await begin(ledger, *deltas(1, "old "))
        await ledger.release(new.id, 1)
        await ledger.claim_run(new.id, LEASE)
        again = at(2, AttemptStarted(attempt=2, reason=ErrorInfo("x", "y"), delay=0.0, model="m1", step=1), 2)
        first, elsewhere = deltas(1, "void", fence=2), deltas(3, "kept", step=5, fence=2)
        await ledger.append_events([Batch(new.id, 2, (*first, again, *elsewhere))])
        pieces = deltas(4, "n", "ew", fence=2)
        await ledger.append_events([Batch(new.id, 2, pieces[:1])])
        message = at(6, turned(6, "new"), 2)
        await ledger.commit_step(a_commit(new.id, fence=2, told=Told((message,), pieces)))
        await _reads(ledger, new.id, (again, *elsewhere, *pieces, message))


async def long_logs_are_paged(opener: Opener) -> None:
    """A long log and a long turn are read in pages, each of at most as many events as are wanted."""
    async with opener() as ledger:
        new = await begin(ledger, at(1, STARTED))
        calls = tuple(at(n, ToolStarted(call_id=str(n), name="t", args={}, index=n, step=n)) for n in range(2, 202))
        await ledger.append_events([Batch(new.id, 1, calls)])
        pieces = deltas(202, *(f"{n} " for n in range(1000)))
        message = turned(1202, "".join(piece.text for piece in pieces))
        await ledger.commit_step(a_commit(new.id, told=Told((message,), pieces)))
        wanted = shown(_of(new.id, (at(1, STARTED), *calls, *pieces, message)))
        same(shown(await told(ledger, new.id, limit=7)), wanted)
        same([len(await ledger.events(new.id, (1, 300), limit)) for limit in (1, 7, 5000)], [1, 7, 902])


async def zombies_tell_nothing(opener: Opener) -> None:
    """What is not under the run's fence, or about a run that waits, has ended or is not there, is left out silently."""
    async with opener() as ledger:
        live, taken, ended = await begin(ledger), await begin(ledger), await begin(ledger)
        await ledger.release(taken.id, 1)
        await ledger.claim_run(taken.id, LEASE)
        await ledger.finish_run(an_end(ended.id))
        ids = (live.id, taken.id, ended.id, "run_none")
        await ledger.append_events([Batch(run, 1, deltas(1, "a", "b")) for run in ids])
        same([[event.n for event in await told(ledger, run)] for run in ids], [[1, 2], [], [], []])
        await ledger.append_events([])


async def state_is_loaded(opener: Opener) -> None:
    """Loading a run tells of its newest turn which calls were begun, started and asked about, and nothing older."""
    async with opener() as ledger:
        new = await begin(ledger)
        old = ToolStarted(call_id="a", name="t", args={}, index=0, step=2)
        events = (old, ToolStarted(call_id="b", name="t", args={}, index=0, step=5), _resolved("wait_1"))
        await ledger.append_events([Batch(new.id, 1, tuple(at(n, event) for n, event in enumerate(events, 1)))])
        for n in (1, 4):
            await ledger.commit_step(a_commit(new.id, n))
        for step, when in ((2, 101.0), (5, 102.0), (6, 103.0), (6, 104.0)):
            await ledger.begin_call(Intent(run_id=new.id, fence=1, step=step, call_id="c", tool="t", at=when))
        wait = a_wait(new.id)
        await ledger.open_wait(asked(wait))
        found = await ledger.load(new.id)
        if found is None:
            raise AssertionError("the run is not there")
        same((found.run, [step.n for step in found.steps]), (await ledger.run(new.id), [4]))
        same((found.begun, found.started, found.resolved), ({5: 102.0, 6: 104.0}, {5}, {"wait_1"}))
        same((found.waits, [exchange.run_id for exchange in found.conversation]), ((wait,), [new.id]))
        same(await ledger.load("run_none"), None)


def _resolved(wait: str) -> ApprovalResolved:
    return ApprovalResolved(id=wait, call_id="c", name="t", state="approved")


def _of(run_id: str, events: Iterable[Event]) -> list[Event]:
    """Copies of the events, of this run."""
    return [msgspec.structs.replace(event, run=run_id) for event in events]


async def _reads(ledger: Ledger, run_id: str, events: Iterable[Event]) -> None:
    """Raises `AssertionError` unless these are the events of the run, wherever reading begins, however much is read."""
    wanted = shown(_of(run_id, events))
    for limit in (1, 2, 3, 1000):
        same(shown(await told(ledger, run_id, limit=limit)), wanted)
    for i, event in enumerate(wanted):
        same(shown(await told(ledger, run_id, event.key)), wanted[i + 1 :])


LOGS: tuple[Contract, ...] = (
    events_come_back,
    every_write_tells,
    deltas_come_back,
    turn_replaces_deltas,
    odd_turns_come_back,
    odd_deltas_are_mended,
    voided_deltas_go,
    long_logs_are_paged,
    zombies_tell_nothing,
    state_is_loaded,
)
"""The contracts of this module."""
