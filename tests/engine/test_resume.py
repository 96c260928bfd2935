"""Where a run goes on, worked out from what the ledger knows of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headgate.core.events import ToolStarted
from headgate.core.messages import Message, ToolCall, ToolOutcome, ToolResult
from headgate.engine.resume import INTERRUPTED, progress_of, reason_of, starting_point, steps_of
from headgate.stores import open_ledger
from headgate.stores.port import Ledger
from headgate.stores.records import Intent, Produced, Resumption, StepRecord
from headgate.stores.told import Told
from headgate.stores.waits import WaitRecord
from headgate.testing import ledger_samples as samples

CALLS = (ToolCall("a", "add", {"n": 1}), ToolCall("b", "add", {"n": 2}))
CALLING = Message("assistant", CALLS)
DONE = ToolResult(structured={"n": 1})
SAID = samples.answered("Done.")


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A ledger in memory."""
    async with open_ledger("sqlite://", tmp_path) as ledger:
        yield ledger


class Past:
    """A run as it comes to be, step by step."""

    def __init__(self, ledger: Ledger, run_id: str) -> None:
        self.ledger, self.id = ledger, run_id

    async def turn(self, n: int, message: Message, **changes: Any) -> None:
        await self.step(samples.a_step(n, **changes), Produced(message, n))

    async def tool(self, n: int, call: ToolCall, *messages: Produced) -> None:
        step = samples.a_step(n, kind="tool", name=call.name, call_id=call.id, args=call.args, result=DONE, usage=None)
        await self.step(step, *messages)

    async def step(self, step: StepRecord, *messages: Produced) -> None:
        await self.ledger.commit_step(samples.a_commit(self.id, step.n, steps=(step,), messages=messages))

    async def intend(self, n: int, call: ToolCall, *events: ToolStarted) -> None:
        intent = Intent(
            run_id=self.id, fence=1, step=n, call_id=call.id, tool=call.name, at=120.0 + n, told=Told(events)
        )
        await self.ledger.begin_call(intent)

    async def ask(self, n: int, call: ToolCall, **changes: Any) -> WaitRecord:
        wait = samples.a_wait(self.id, step=n, call_id=call.id, tool=call.name, **changes)
        await self.ledger.open_wait(samples.asked(wait))
        return wait

    async def found(self) -> Resumption:
        record = await self.ledger.claim_run(self.id, samples.LEASE)
        assert record is not None
        found = await self.ledger.load(self.id)
        assert found is not None
        return found


async def begun(ledger: Ledger, **changes: Any) -> Past:
    """A run that has begun, in a session if `session_id` says so."""
    new = samples.a_run(**changes)
    await ledger.create_run(new, samples.LEASE, Told())
    return Past(ledger, new.id)


async def test_a_run_that_had_just_begun(ledger: Ledger) -> None:
    """It begins with its first turn, of which nothing counts that was said before."""
    found = await (await begun(ledger)).found()
    start = starting_point(found)
    assert (start.messages, start.turn, start.again) == ((samples.said("hello"),), None, INTERRUPTED)
    assert (steps_of(found, start), reason_of(found, start).reason) == (0, "recovered")


async def test_calls_that_were_not_made(ledger: Ledger) -> None:
    """The calls of the newest turn are made, under the steps that they had; no turn is made again."""
    past = await begun(ledger)
    await past.turn(1, CALLING)
    found = await past.found()
    start = starting_point(found)
    assert (start.messages[-1], start.again) == (CALLING, None)
    assert start.turn is not None
    assert (start.turn.calls, start.turn.step, list(start.turn.open), start.turn.cut) == (CALLS, 1, [0, 1], False)
    assert [start.turn.state(i).step for i in range(2)] == [2, 3]
    assert steps_of(found, start) == 3
    assert progress_of(found.run).turns == 1


async def test_a_call_that_has_its_result(ledger: Ledger) -> None:
    """It is not made again; the one that was begun is known to have been, and when."""
    past = await begun(ledger)
    await past.turn(1, CALLING)
    await past.intend(3, CALLS[1], samples.at(5, ToolStarted(call_id="b", name="add", args={}, index=1, step=3)))
    await past.tool(2, CALLS[0])
    turn = starting_point(await past.found()).turn
    assert turn is not None
    assert (turn.results, list(turn.open), turn.told) == ({0: DONE}, [1], False)
    assert (turn.state(1).begun, turn.state(1).started, turn.state(1).attempt) == (123.0, True, 2)
    assert (turn.state(0).begun, turn.state(0).started) == (None, False)


async def test_results_without_their_message(ledger: Ledger) -> None:
    """When all results are committed and their message is not, that is all that is left to be done of the turn."""
    past = await begun(ledger)
    await past.turn(1, CALLING)
    await past.tool(2, CALLS[0])
    await past.tool(3, CALLS[1])
    turn = starting_point(await past.found()).turn
    assert turn is not None
    assert (list(turn.open), turn.told) == ([], False)
    assert turn.answer() == Message("user", tuple(ToolOutcome(call.id, "add", DONE) for call in CALLS))


async def test_a_turn_after_results(ledger: Ledger) -> None:
    """A turn whose results are all told is over: the next one is made."""
    past = await begun(ledger)
    await past.turn(1, CALLING)
    await past.tool(2, CALLS[0])
    answer = Message("user", tuple(ToolOutcome(call.id, "add", DONE) for call in CALLS))
    await past.tool(3, CALLS[1], Produced(answer, 3))
    found = await past.found()
    start = starting_point(found)
    assert (start.messages, start.turn) == ((samples.said("hello"), CALLING, answer), None)
    assert steps_of(found, start) == 3


async def test_a_turn_that_was_cut_off(ledger: Ledger) -> None:
    """Calls of a turn that the provider cut off are known to be such, also by the next owner."""
    past = await begun(ledger)
    await past.turn(1, CALLING, status="error")
    turn = starting_point(await past.found()).turn
    assert turn is not None
    assert turn.cut


async def test_questions(ledger: Ledger) -> None:
    """The newest question of each kind counts; a run goes on since one is answered, or for another reason."""
    past = await begun(ledger)
    await past.turn(1, CALLING)
    await past.ask(2, CALLS[0], kind="unknown_outcome", created_at=90.0)
    newest = await past.ask(2, CALLS[0], kind="unknown_outcome", created_at=110.0)
    other = await past.ask(3, CALLS[1])
    found = await past.found()
    start = starting_point(found)
    assert start.turn is not None
    assert {kind: wait.id for kind, wait in start.turn.state(0).waits.items()} == {"unknown_outcome": newest.id}
    assert {kind: wait.id for kind, wait in start.turn.state(1).waits.items()} == {"approval": other.id}
    assert reason_of(found, start).reason == "recovered"
    await ledger.answer(samples.an_answer(other.id))
    found = await past.found()
    assert reason_of(found, starting_point(found)).reason == "answered"


async def test_a_conversation(ledger: Ledger) -> None:
    """What was said before in the session comes first, and calls that were left open there have an answer."""
    session = samples.a_session()
    await ledger.create_session(session)
    first = await begun(ledger, session_id=session.id)
    await first.turn(1, CALLING)
    await ledger.finish_run(samples.an_end(first.id, state="cancelled", outcome="cancelled"))
    second = await begun(ledger, session_id=session.id, prior_run=first.id)
    messages = starting_point(await second.found()).messages
    assert [message.role for message in messages] == ["user", "assistant", "user"]
    assert messages[1] == CALLING
    assert [type(part).__name__ for part in messages[2].parts] == ["ToolOutcome", "ToolOutcome", "Text"]
