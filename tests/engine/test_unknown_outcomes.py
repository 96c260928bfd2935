"""Calls that were cut off: none is made twice unless it may be, or unless a person says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.core.events import ApprovalResolved, RunWaiting
from tests import workshop
from tests.conftest import Tree
from tests.engine.asking import FILES, POLICIES, SCRIPT, crash, cut_off, later, problem, results
from tests.engine.house import House, housed
from tests.waiting import until


@pytest.fixture
async def house(tree: Tree) -> AsyncIterator[House]:
    """A house whose tree has the policies."""
    async with housed(tree(SCRIPT, toml=POLICIES, files=FILES)) as house:
        yield house


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


async def test_a_call_that_was_approved_and_cut_off(house: House) -> None:
    """It is made again without being asked about again, and the log says once that it was approved."""
    run = await house.parked("both")
    (wait,) = await house.questions()
    await house.answer(wait, "approved")
    await house.keeper.round()
    await until(lambda: workshop.entered)
    await crash(house, run)
    workshop.gate("both").set()
    events = await house.gone_on(run.id)
    assert results(events)[0].payload == "both is open"
    assert [event.id for event in events if isinstance(event, ApprovalResolved)] == [wait.id]
    assert workshop.entered == ["both", "both"]


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
