"""What calls ask before they are made, and what comes of the answers: approvals, front ends, unknown outcomes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.core.events import (
    ApprovalRequested,
    ApprovalResolved,
    Event,
    InputRequested,
    RunResumed,
    RunWaiting,
    ToolCompleted,
    ToolStarted,
)
from headgate.core.messages import ErrorInfo, ToolResult
from headgate.engine.keeper import Keeper
from headgate.engine.questions import args_hash
from headgate.engine.run import Run
from headgate.stores.waits import Answer, Grant, WaitRecord
from tests import workshop
from tests.conftest import Tree
from tests.engine.house import House, finished, housed, stopped
from tests.waiting import until

SCRIPT = """
- {when: {user_contains: refused}, call: fail, args: {how: tool}}
- {when: {user_contains: held}, call: add, args: {a: 1, b: 2}}
- {when: {user_contains: beside}, calls: [{call: add, args: {a: 3, b: 4}}, {call: wait, args: {name: beside}}]}
- {when: {user_contains: choose}, calls: [{call: choose, args: {n: 1}}, {call: choose, args: {n: 2}}]}
- {when: {user_contains: told}, call: told, args: {name: told}}
- {when: {user_contains: asked}, call: wait, args: {name: asked}}
- {when: {user_contains: again}, call: again, args: {name: again}}
- {text: Well.}
"""
POLICIES = """
[approvals.refusing]
tools = ["fail"]
decide = "deny"
[approvals.holding]
tools = ["add"]
decide = "ask"
remember = "session"
timeout = "1h"
approvers = ["default"]
[approvals.telling]
tools = ["told"]
decide = "allow"
on_unknown_outcome = "tell_model"
"""
FUNCTION = "kind: function\ndescription: Waits.\ncall: tests.workshop:wait\n"
FILES = {
    "tools/told.yaml": FUNCTION,
    "tools/again.yaml": FUNCTION + "annotations: {idempotent: true}\n",
    "tools/choose.yaml": "kind: client\ndescription: Chooses.\nexpires: 2m\noutput: chosen\n"
    "input: {type: object, properties: {n: {type: integer}}}\n",
}


@pytest.fixture
async def house(tree: Tree) -> AsyncIterator[House]:
    """A house whose tree has the policies."""
    async with housed(tree(SCRIPT, toml=POLICIES, files=FILES)) as house:
        yield house


def results(events: list[Event]) -> list[ToolResult]:
    """The results of the calls, in the order in which they came."""
    return [event.result for event in events if isinstance(event, ToolCompleted)]


def problem(result: ToolResult) -> tuple[str, str, str]:
    """Status, code and message of a failed result."""
    assert result.error is not None
    return result.status, result.error.code, result.error.message


def later(house: House, seconds: float) -> Keeper:
    """A keeper whose clock is so much later."""
    return Keeper(house.host, clock=lambda: house.now() + seconds)


async def cut_off(house: House, text: str) -> Run:
    """A run that was cut off in the middle of a call, as when its process is killed."""
    workshop.entered.clear()
    run = await house.host.submit(house.order(text))
    await until(lambda: workshop.entered)
    await crash(house, run)
    return run


async def crash(house: House, run: Run) -> None:
    """The run stops where it is, whatever it is doing."""
    house.host.runs[run.id].leave(now=True)
    await until(lambda: house.empty)
    house.host.left.forget(run.id)
    house.host.left.add(run.id)


# -- approvals -------------------------------------------------------------------------------------------------------


async def test_a_call_that_a_policy_denies(house: House) -> None:
    """The model reads which policy it was, and nobody is asked."""
    events = await finished(await house.host.submit(house.order("refused")))
    assert problem(*results(events)) == ("denied", "policy_denied", "policy 'refusing' denies fail")
    assert await house.host.ledger.count_waits() == 0


async def test_a_call_that_is_held(house: House) -> None:
    """The run gives itself back while a person is asked what the call's arguments say, and goes on with the answer."""
    run = await house.parked("held")
    record = await house.record(run.id)
    assert (record.lease_owner, house.empty) == (None, True)
    (wait,) = await house.questions()
    assert (wait.kind, wait.tool, wait.policy, wait.approvers) == ("approval", "add", "holding", ("default",))
    assert (wait.args, wait.args_hash) == ({"a": 1, "b": 2}, args_hash({"b": 2, "a": 1}))
    assert wait.expires_at - wait.created_at == 3600
    settled = await house.answer(wait, "approved")
    assert settled is not None
    assert settled.state == "approved"
    events = await house.gone_on(run.id)
    kinds = [type(event) for event in events]
    asked = kinds.index(ToolStarted)
    assert kinds[asked : asked + 6] == [
        ToolStarted, ApprovalRequested, RunWaiting, RunResumed, ApprovalResolved, ToolCompleted,
    ]  # fmt: skip
    assert [event.reason for event in events if isinstance(event, RunResumed)] == ["answered"]
    assert results(events)[0].structured == {"sum": 3}
    assert await house.state(run) == ("completed", "success")


async def test_a_person_says_no(house: House) -> None:
    """The model reads why; the call is not made."""
    run = await house.parked("held")
    (wait,) = await house.questions()
    await house.answer(wait, "denied", "deny", "Not today.")
    assert problem(*results(await house.gone_on(run.id))) == (
        "denied", "user_denied", "a person denied add: Not today.",
    )  # fmt: skip


async def test_the_first_answer_counts(house: House) -> None:
    """A second answer is refused, whatever it is."""
    run = await house.parked("held")
    (wait,) = await house.questions()
    assert await house.answer(wait, "denied", "deny")
    assert await house.answer(wait, "approved") is None
    assert [result.status for result in results(await house.gone_on(run.id))] == ["denied"]


async def test_nobody_answers(house: House) -> None:
    """When the time is over the call has expired, which is said to be so; an answer comes too late then."""
    run = await house.parked("held")
    (wait,) = await house.questions()
    await later(house, 3599).round()
    assert await house.state(run) == ("waiting", None)
    await later(house, 3601).round()
    await until(lambda: house.empty)
    events = await house.events(run.id)
    assert problem(*results(events)) == ("expired", "approval_timeout", "nobody approved add in time")
    assert [event.state for event in events if isinstance(event, ApprovalResolved)] == ["expired"]
    assert await house.answer(wait, "approved") is None


async def test_an_answer_that_is_remembered(house: House) -> None:
    """Calls of the tool are not asked again in the session; in another one they are."""
    session = await house.session()
    run = await house.parked("held", session)
    (wait,) = await house.questions()
    grant = Grant(
        session_id=session.id, policy="holding", tool="add", qualifier="", granted_by="tester", granted_at=1.0
    )
    assert wait.may_remember
    await house.host.answer(Answer(wait_id=wait.id, state="approved", at=wait.created_at, grant=grant))
    await house.gone_on(run.id)
    events = await finished(await house.host.submit(house.order("held"), session))
    assert results(events)[0].structured == {"sum": 3}
    await house.parked("held", await house.session())
    await house.parked("held")


async def test_an_answer_while_the_run_is_at_work(house: House) -> None:
    """A call whose answer comes while another one is running goes on at once, and the run never parks."""
    run = await house.host.submit(house.order("beside"))
    await until(lambda: "beside" in workshop.entered)
    await until(lambda: any(isinstance(event, ApprovalRequested) for event in run.log.events))
    (wait,) = await house.questions()
    await house.answer(wait, "approved")
    await until(lambda: results(run.log.events))
    workshop.gate("beside").set()
    events = await finished(run)
    assert [result.payload for result in results(events)] == [{"sum": 7}, "beside is open"]
    assert not any(isinstance(event, RunWaiting) for event in events)


async def test_an_answer_while_the_run_parks(house: House) -> None:
    """An answer that comes while the run is giving itself back is not lost: the run is queued."""
    house.ledger.hold("park")
    run = await house.host.submit(house.order("held"))
    await house.ledger.held("park")
    (wait,) = await house.questions()
    await house.answer(wait, "approved")
    house.ledger.free("park")
    await stopped(run)
    assert await house.state(run) == ("queued", None)
    assert results(await house.gone_on(run.id))[0].structured == {"sum": 3}


def test_the_hash_of_arguments() -> None:
    """An answer is bound to the arguments to the letter, whatever the order of their keys."""
    assert args_hash({"a": 1, "b": [2]}) == args_hash({"b": [2], "a": 1})
    assert len({args_hash(each) for each in ({"a": 1}, {"a": "1"}, {"a": 1, "b": None}, {}, {"b": 1})}) == 5
    assert args_hash(None) == args_hash({})


# -- front ends ------------------------------------------------------------------------------------------------------


async def given(house: House, wait: WaitRecord, result: ToolResult) -> WaitRecord | None:
    """What a front end posts."""
    return await house.host.answer(Answer(wait_id=wait.id, state="answered", at=wait.created_at, result=result))


async def test_two_calls_of_a_front_end(house: House) -> None:
    """Each result goes to its own call, in whatever order they come; the tool shapes it, and errors stay errors."""
    run = await house.parked("choose")
    one, two = sorted(await house.questions(), key=lambda wait: wait.args["n"])
    requested = [event for event in run.log.events if isinstance(event, InputRequested)]
    assert sorted(event.id for event in requested) == sorted([one.id, two.id])
    error = ErrorInfo("cancelled", "The person chose none.")
    await given(house, two, ToolResult(status="error", error=error))
    await house.gone_on(run.id)
    assert await house.state(run) == ("waiting", None)
    await given(house, one, ToolResult(structured={"chosen": "red", "more": 1}))
    events = await house.gone_on(run.id)
    assert {event.call_id: event.result.payload for event in events if isinstance(event, ToolCompleted)} == {
        one.call_id: "red", two.call_id: {"error": {"code": "cancelled", "message": "The person chose none."}},
    }  # fmt: skip
    assert await house.state(run) == ("completed", "success")


async def test_a_front_end_that_says_nothing(house: House) -> None:
    """After the tool's own time the call has expired."""
    run = await house.parked("choose")
    await later(house, 121).round()
    await until(lambda: house.empty)
    found = [problem(result) for result in results(await house.events(run.id))]
    assert found == [("expired", "tool_timeout", "choose was not answered in time")] * 2


# -- unknown outcomes ------------------------------------------------------------------------------------------------


async def test_the_model_is_told(house: House) -> None:
    """A call that was cut off is not made again, and the model reads that nobody knows what became of it."""
    run = await cut_off(house, "told")
    status, code, message = problem(*results(await house.gone_on(run.id)))
    assert (status, code) == ("unknown", "outcome_unknown")
    assert message.startswith("told was interrupted, and whether it took effect is not known")
    assert workshop.entered == ["told"]


async def test_a_call_that_may_be_made_again(house: House) -> None:
    """An idempotent call is made again without a word."""
    run = await cut_off(house, "again")
    workshop.gate("again").set()
    assert results(await house.gone_on(run.id))[0].payload == "again is open"
    assert workshop.entered == ["again", "again"]


@pytest.mark.parametrize(
    ("decision", "reason", "payload"),
    [
        ("done", "It is closed.", {"outcome": "done", "note": "It is closed."}),
        ("done", "", {"outcome": "done", "note": "a person says that it was done"}),
        ("failed", "It is open.", {"error": {"code": "tool_error", "message": "It is open."}}),
    ],
)
async def test_a_person_knows(house: House, decision: Any, reason: str, payload: Any) -> None:
    """The model reads what the person says, and the call is not made again."""
    run = await cut_off(house, "asked")
    assert isinstance((await house.gone_on(run.id))[-1], RunWaiting)
    (wait,) = await house.questions()
    assert (wait.kind, wait.tool) == ("unknown_outcome", "wait")
    await house.answer(wait, "answered", decision, reason)
    assert results(await house.gone_on(run.id))[0].payload == payload
    assert workshop.entered == ["asked"]


async def test_nobody_knows(house: House) -> None:
    """After a day without an answer the model is told."""
    run = await cut_off(house, "asked")
    await house.gone_on(run.id)
    await later(house, 24 * 3600 + 1).round()
    await until(lambda: house.empty)
    assert problem(*results(await house.events(run.id)))[:2] == ("unknown", "outcome_unknown")


async def test_a_retry_that_is_cut_off_again(house: House) -> None:
    """A person's word is good for one more try: when that is cut off too, somebody is asked again."""
    run = await cut_off(house, "asked")
    for tries in (1, 2):
        assert isinstance((await house.gone_on(run.id))[-1], RunWaiting)
        assert workshop.entered == ["asked"] * tries
        (wait,) = await house.questions()
        await house.answer(wait, "answered", "retry")
        await house.keeper.round()
        await until(lambda: len(workshop.entered) == tries + 1)  # noqa: B023 -- it is awaited here
        await crash(house, run)
    assert isinstance((await house.gone_on(run.id))[-1], RunWaiting)
    assert len(await house.host.ledger.waits(house.every_wait(run.id))) == 3


async def test_a_retry_on_a_clock_that_goes_back(house: House) -> None:
    """An answer is good for one more try, also when the clock says that the try was before the answer."""
    run = await cut_off(house, "asked")
    await house.gone_on(run.id)
    (wait,) = await house.questions()
    future = house.now() + 1000
    await house.answer(wait, "answered", "retry", at=future)
    await house.keeper.round()
    await until(lambda: len(workshop.entered) == 2)
    await crash(house, run)
    assert isinstance((await house.gone_on(run.id))[-1], RunWaiting)
    assert workshop.entered == ["asked", "asked"]


async def test_a_tool_that_is_gone_when_its_call_was_cut_off(house: House, tree: Tree) -> None:
    """A call that was begun is not said to be refused: nobody knows what became of it."""
    run = await cut_off(house, "told")
    await house.swap(tree(SCRIPT, toml=POLICIES, tools=["add"]))
    assert problem(*results(await house.gone_on(run.id)))[:2] == ("unknown", "outcome_unknown")
