"""The calls of one turn beside each other: commits that fail or cross, ends and stops in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from headgate.core.events import RunCancelled, RunCompleted, RunWaiting, ToolCompleted, ToolStarted
from headgate.core.messages import ToolOutcome
from headgate.engine.run import Ending, Run
from tests import workshop
from tests.conftest import Tree
from tests.engine.house import House, finished, housed, left
from tests.waiting import until

SCRIPT = """
- when: {user_contains: many}
  calls: [{call: add, args: {a: 1, b: 1}}, {call: add, args: {a: 1, b: 2}}, {call: add, args: {a: 1, b: 3}}]
- when: {user_contains: two}
  calls: [{call: wait, args: {name: one}}, {call: wait, args: {name: two}}]
- {when: {user_contains: slow}, text: I do it., delay: 20ms, call: wait, args: {name: slow}}
- {text: Well.}
"""


@pytest.fixture
async def house(tree: Tree) -> AsyncIterator[House]:
    """A house whose runs make several calls at once."""
    async with housed(tree(SCRIPT)) as house:
        yield house


async def answers(house: House, run: Run) -> list[list[str]]:
    """The statuses of the results that the model reads, message by message."""
    found = await house.host.ledger.load(run.id)
    assert found is not None
    messages = found.conversation[-1].produced
    outcomes = [[part.result.status for part in each.parts if isinstance(part, ToolOutcome)] for each in messages]
    return [each for each in outcomes if each]


async def test_results_that_come_at_once(house: House) -> None:
    """Calls that end in the same moment are committed side by side, and their message once."""
    run = await house.host.submit(house.order("many"))
    await finished(run)
    assert await answers(house, run) == [["ok", "ok", "ok"]]
    assert [step.n for step in await house.host.ledger.steps(run.id)] == [1, 2, 3, 4, 5]


async def test_one_result_that_cannot_be_kept(house: House) -> None:
    """The calls beside it end and are kept; only the one that was not kept is asked about."""
    run = await house.host.submit(house.order("two"))
    await until(lambda: len(workshop.entered) == 2)
    house.ledger.fail("commit_step")
    workshop.gate("one").set()
    await asyncio.sleep(0)
    await until(lambda: not house.ledger.failing("commit_step"))
    assert not run.log.broken
    workshop.gate("two").set()
    told = await left(run)
    assert [e.result.payload for e in told if isinstance(e, ToolCompleted)] == ["two is open"]
    assert isinstance((await house.gone_on(run.id))[-1], RunWaiting)
    (wait,) = await house.questions()
    assert wait.args == {"name": "one"}
    await house.answer(wait, "answered", "done")
    assert isinstance((await house.gone_on(run.id))[-1], RunCompleted)
    assert (await answers(house, run), sorted(workshop.entered)) == ([["ok", "ok"]], ["one", "two"])


async def test_commits_that_cross(house: House) -> None:
    """A result whose commit fails while another one is on its way is in no message."""
    run = await house.host.submit(house.order("two"))
    await until(lambda: len(workshop.entered) == 2)
    house.ledger.hold("commit_step")
    workshop.gate("one").set()
    await house.ledger.held("commit_step")
    workshop.gate("two").set()
    await until(lambda: house.ledger.waiting("commit_step") == 2)
    house.ledger.fail("commit_step")
    house.ledger.free("commit_step")
    await left(run)
    assert await answers(house, run) == []
    steps = [step for step in await house.host.ledger.steps(run.id) if step.kind == "tool"]
    assert len(steps) == 1


@pytest.mark.parametrize("method", ["commit_step", "finish_run"])
async def test_an_end_in_the_middle_of_calls(house: House, method: str) -> None:
    """Each call has a result, and the model's next turn would find all of them."""
    run = await house.host.submit(house.order("two"))
    await until(lambda: len(workshop.entered) == 2)
    workshop.gate("one").set()
    await until(lambda: any(isinstance(event, ToolCompleted) for event in run.log.events))
    house.ledger.hold(method)
    run.cancel(Ending("enough"))
    await house.ledger.held(method)
    house.ledger.free(method)
    events = await finished(run)
    assert isinstance(events[-1], RunCancelled)
    assert [event.result.status for event in events if isinstance(event, ToolCompleted)] == ["ok", "cancelled"]
    assert await answers(house, run) == [["ok", "cancelled"]]


async def test_an_end_of_several_calls_at_once(house: House) -> None:
    """Calls that are all cut off in the same moment are all answered."""
    run = await house.host.submit(house.order("two"))
    await until(lambda: len(workshop.entered) == 2)
    run.cancel(Ending("enough"))
    assert isinstance((await finished(run))[-1], RunCancelled)
    assert await answers(house, run) == [["cancelled", "cancelled"]]


async def test_a_stop_lets_the_step_end(house: House) -> None:
    """A turn that is being made is kept when the gateway stops, and its calls are left: they were not begun."""
    run = await house.host.submit(house.order("slow"))
    await until(lambda: len(run.log.events) > 1)
    run.leave(now=False)
    told = await left(run)
    assert (workshop.entered, any(isinstance(event, ToolStarted) for event in told)) == ([], False)
    assert [step.kind for step in await house.host.ledger.steps(run.id)] == ["model"]
    workshop.gate("slow").set()
    house.host.left.add(run.id)
    assert isinstance((await house.gone_on(run.id))[-1], RunCompleted)
    assert workshop.entered == ["slow"]


async def test_a_stop_lets_the_calls_end(house: House) -> None:
    """Calls that are being made are kept when the gateway stops, and the next turn is left."""
    run = await house.host.submit(house.order("two"))
    await until(lambda: len(workshop.entered) == 2)
    run.leave(now=False)
    for name in ("one", "two"):
        workshop.gate(name).set()
    await left(run)
    assert await answers(house, run) == [["ok", "ok"]]
    assert isinstance((await house.gone_on(run.id))[-1], RunCompleted)
    assert sorted(workshop.entered) == ["one", "two"]


async def test_an_end_while_the_gateway_stops(house: House) -> None:
    """A cancellation counts also then: the run is not left to go on later."""
    run = await house.host.submit(house.order("two"))
    await until(lambda: len(workshop.entered) == 2)
    run.leave(now=False)
    run.cancel(Ending("enough"))
    assert isinstance((await finished(run))[-1], RunCancelled)
    assert await answers(house, run) == [["cancelled", "cancelled"]]


async def test_listeners_that_are_sent_away(tree: Tree) -> None:
    """A run whose listeners were told to come back is not ended because it has none."""
    async with housed(tree(SCRIPT, on_disconnect={"cancel_after": "1ms"})) as house:
        subscription, run = await house.host.converse(house.order("two"), await house.session())
        await until(lambda: len(workshop.entered) == 2)
        house.ledger.hold("release")
        run.leave(now=True)
        await house.ledger.held("release")
        assert subscription.follower.log.broken
        subscription.close()
        await asyncio.sleep(0.01)
        house.ledger.free("release")
        await left(run)
        assert run.ending is None
