"""What calls ask before they are made, and what comes of the answers: approvals, front ends, unknown outcomes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate.core.events import (
    ApprovalRequested,
    ApprovalResolved,
    InputRequested,
    RunResumed,
    RunWaiting,
    ToolCompleted,
    ToolStarted,
)
from headgate.core.messages import ErrorInfo, ToolResult
from headgate.engine.arguments import args_hash
from headgate.stores.waits import Answer, Grant, WaitRecord
from tests import workshop
from tests.conftest import Tree
from tests.engine.asking import FILES, POLICIES, SCRIPT, later, problem, results
from tests.engine.house import House, finished, housed, stopped
from tests.waiting import until


@pytest.fixture
async def house(tree: Tree) -> AsyncIterator[House]:
    """A house whose tree has the policies."""
    async with housed(tree(SCRIPT, toml=POLICIES, files=FILES)) as house:
        yield house


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
