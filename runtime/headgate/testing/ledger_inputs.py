"""Contracts of the ledger: questions of MCP servers, and what is entered for them."""

from __future__ import annotations

from headgate.core.inputs import Question, Reply, Round
from headgate.core.messages import ToolResult
from headgate.stores.records import Intent
from headgate.stores.waits import Vote, WaitRecord
from headgate.testing.ledger_checks import Contract, Opener, begin, same
from headgate.testing.ledger_samples import a_commit, a_step, a_wait, an_answer, an_end, asked

QUESTION = Question(
    "crm", "book", "For whom?", {"type": "object", "properties": {"é": {"type": "string"}}}, timeout=5.0
)
ROUND = Round(
    {"a": QUESTION, "b": QUESTION}, "state", "origin", 2, {"c": "decline"}, {"a": Reply("accept", {"é": "s"})}
)
ENTERED = ToolResult(structured={"é": "secret"})


def _input(run_id: str, **changes: object) -> WaitRecord:
    return a_wait(run_id, kind="input", **{"question": QUESTION, "round": ROUND, **changes})


async def questions_are_kept(opener: Opener) -> None:
    """A question and its round come back as they were."""
    async with opener() as ledger:
        new = await begin(ledger)
        for wait in (_input(new.id), _input(new.id, round=None)):
            await ledger.open_wait(asked(wait))
            same(await ledger.wait(wait.id), wait)


async def interrupted_calls_are_not_begun(opener: Opener) -> None:
    """A question that interrupts its call takes the intent away, one for which the call is held does not."""
    async with opener() as ledger:
        for wait_round, begun in ((ROUND, {}), (None, {2: 90.0})):
            new = await begin(ledger)
            await ledger.begin_call(Intent(run_id=new.id, fence=1, step=2, call_id="c1", tool="refund", at=90.0))
            await ledger.open_wait(asked(_input(new.id, round=wait_round)))
            loaded = await ledger.load(new.id)
            same(loaded and loaded.begun, begun)


async def what_was_entered_is_forgotten(opener: Opener) -> None:
    """With the step of the call, or with the end of the run; who said what stays, and so do other waits."""
    async with opener() as ledger:
        for last in (False, True):
            new = await begin(ledger)
            wait, other = _input(new.id), a_wait(new.id, kind="client_tool")
            vote = Vote(by="boss", decision="accept", at=150.0)
            for each in (wait, other):
                await ledger.open_wait(asked(each))
                await ledger.answer(an_answer(each.id, state="answered", result=ENTERED, votes=(vote,)))
            if last:
                await ledger.finish_run(an_end(new.id))
            else:
                step = a_step(2, kind="tool", call_id="c1", name="refund")
                await ledger.commit_step(a_commit(new.id, steps=(step,), messages=(), forget=(2,)))
            found, kept = await ledger.wait(wait.id), await ledger.wait(other.id)
            same(found and (found.result, found.round), (None, None))
            same(found and (found.state, found.votes, found.question), ("answered", (vote,), QUESTION))
            same(kept and kept.result, ENTERED)


INPUTS: tuple[Contract, ...] = (
    questions_are_kept,
    interrupted_calls_are_not_begun,
    what_was_entered_is_forgotten,
)
"""The contracts of this module."""
