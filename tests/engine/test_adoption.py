"""Runs that are gone on with under a revision that is not theirs, and by whom they are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from headgate.core.events import ApprovalResolved, RunCancelled, RunCompleted, RunResumed, ToolCompleted
from headgate.engine.adoption import adopt
from headgate.engine.run import Ending, Run
from headgate.stores.records import Lease
from headgate.testing.harness import KEY, agent_md
from tests.conftest import Tree
from tests.engine.house import House, another, finished, housed, left, stopped
from tests.waiting import until

SCRIPT = """
- {when: {user_contains: held}, call: add, args: {a: 1, b: 2}}
- {when: {user_contains: slow}, delay: 1h, text: one two}
- {text: Well.}
"""
ASKING = '[approvals.holding]\ntools = ["add"]\ndecide = "ask"\n'
DENYING = '[approvals.refusing]\ntools = ["add"]\ndecide = "deny"\n'


@pytest.fixture
async def house(tree: Tree) -> AsyncIterator[House]:
    """A house whose tree asks before it adds."""
    async with housed(tree(SCRIPT, toml=ASKING)) as house:
        yield house


async def approve(house: House, run: Run) -> None:
    """Lets the run go on."""
    (wait,) = await house.questions(run.id)
    assert await house.answer(wait, "approved")


async def test_the_live_revision(house: House, tree: Tree) -> None:
    """A run that waited goes on under the revision that is live by then, and says so."""
    run = await house.parked("held")
    await house.swap(tree(SCRIPT, toml=ASKING, prompt="You help more."))
    await approve(house, run)
    events = await house.gone_on(run.id)
    (resumed,) = [event for event in events if isinstance(event, RunResumed)]
    assert isinstance(events[-1], RunCompleted)
    assert (resumed.agent, resumed.reason) == ("helper", "answered")


async def test_a_stricter_policy(house: House, tree: Tree) -> None:
    """What a policy denies by now is denied, though a person has allowed it."""
    run = await house.parked("held")
    await house.swap(tree(SCRIPT, toml=DENYING))
    await approve(house, run)
    (result,) = [e.result for e in await house.gone_on(run.id) if isinstance(e, ToolCompleted)]
    assert (result.status, result.error.code if result.error else "") == ("denied", "policy_denied")


async def test_a_question_that_is_denied_before_it_is_answered(house: House, tree: Tree) -> None:
    """The question is cancelled when its run comes by again, since nobody's answer counts any more."""
    run = await house.parked("held")
    (wait,) = await house.questions(run.id)
    await house.swap(tree(SCRIPT, toml=DENYING))
    house.host.left.add(run.id)
    events = await house.gone_on(run.id)
    settled = await house.host.ledger.wait(wait.id)
    assert settled is not None
    assert settled.state == "cancelled"
    assert [event.state for event in events if isinstance(event, ApprovalResolved)] == ["cancelled"]
    assert await house.state(run) == ("completed", "success")


async def test_a_looser_policy(house: House, tree: Tree) -> None:
    """A question that was asked stands, though no policy would ask it any more."""
    run = await house.parked("held")
    await house.swap(tree(SCRIPT))
    house.host.left.add(run.id)
    await house.gone_on(run.id)
    assert await house.state(run) == ("waiting", None)
    await approve(house, run)
    assert isinstance((await house.gone_on(run.id))[-1], RunCompleted)


async def test_an_agent_that_is_gone(house: House, tree: Tree) -> None:
    """Its run ends, and says why."""
    run = await house.parked("held")
    root = tree(SCRIPT, toml=ASKING, files={"agents/other.md": agent_md(model="default/auto")})
    (root / "agents/helper.md").unlink()
    toml = (root / "gateway.toml").read_text().replace('default_agent = "helper"', 'default_agent = "other"')
    (root / "gateway.toml").write_text(toml)
    await house.swap(root)
    await approve(house, run)
    await house.keeper.round()
    end = (await house.events(run.id))[-1]
    assert isinstance(end, RunCancelled)
    assert (end.outcome, end.reason) == ("revoked", "the run cannot go on: there is no agent 'helper'")
    assert (await house.state(run), house.empty) == (("cancelled", "revoked"), True)


async def test_a_key_that_is_revoked(house: House, tree: Tree) -> None:
    """The run ends; what it waited for is cancelled with it."""
    run = await house.parked("held")
    (wait,) = await house.questions(run.id)
    root = tree(SCRIPT, toml=ASKING)
    (root / "gateway.toml").write_text((root / "gateway.toml").read_text().replace(KEY, "another-key"))
    await house.swap(root)
    house.host.left.add(run.id)
    await house.keeper.round()
    async with asyncio.timeout(60):  # the swap ends it too, and whoever claims last does
        while await house.state(run) != ("cancelled", "revoked"):  # noqa: ASYNC110 -- it has no event
            await asyncio.sleep(0.005)
    settled = await house.host.ledger.wait(wait.id)
    assert settled is not None
    assert settled.state == "cancelled"


async def test_listeners_stay(house: House) -> None:
    """Who listened when the run parked hears it go on, in one stream without a gap."""
    run = await house.parked("held")
    subscription = await house.host.follow(run.id, (0, 0), house.principal)
    await approve(house, run)
    await house.gone_on(run.id)
    seen = []
    while not subscription.follower.drained:
        seen += [event.key for event in await subscription.follower.batch()]
    subscription.close()
    assert seen == [event.key for event in await house.events(run.id)]


async def test_the_next_process(house: House) -> None:
    """A run that was left goes on in another process, whose listeners hear all of it."""
    run = await house.host.submit(house.order("slow"))
    await until(lambda: run.begun)
    run.leave(now=True)
    await left(run)
    async with another(house.host) as second:
        subscription = await second.host.follow(run.id, (0, 0), second.principal)
        await second.keeper.round()
        taken = second.host.runs[run.id]
        assert taken.fence == 2
        assert await second.host.cancel(run.id, Ending("enough")) is False
        await finished(taken)
        seen = []
        while not subscription.follower.drained:
            seen += [event.key for event in await subscription.follower.batch()]
        subscription.close()
        assert seen == [event.key for event in await second.events(run.id)]
        assert seen[-1][0] == 2


async def test_the_session_is_busy_again(house: House) -> None:
    """A chat of the session ends the run that has been taken up, as it would have before."""
    session = await house.session()
    run = await house.host.submit(house.order("slow"), session)
    await until(lambda: run.begun)
    run.leave(now=True)
    await left(run)
    await house.keeper.round()
    taken = house.host.runs[run.id]
    await until(lambda: session.run is taken)
    subscription, answer = await house.host.converse(house.order("hi"), session)
    subscription.close()
    await stopped(answer)
    assert await house.state(run) == ("cancelled", "cancelled")
    assert await house.state(answer) == ("completed", "success")


async def test_a_run_that_waits_is_cancelled(house: House) -> None:
    """A run without a task ends at once, with its questions; a second time there is nothing to end."""
    run = await house.parked("held")
    assert await house.host.cancel(run.id, Ending("never mind")) is True
    assert (await house.state(run), await house.questions()) == (("cancelled", "cancelled"), [])
    assert isinstance((await house.events(run.id))[-1], RunCancelled)


async def test_a_cancellation_while_the_run_parks(house: House) -> None:
    """It is not lost: the run has parked already, and is taken up to be ended."""
    house.ledger.hold("park")
    run = await house.host.submit(house.order("held"))
    await house.ledger.held("park")
    await house.host.cancel(run.id, Ending("never mind"))
    house.ledger.free("park")
    await stopped(run)
    assert await house.state(run) == ("waiting", None)
    assert isinstance((await house.gone_on(run.id))[-1], RunCancelled)


async def test_a_cancellation_while_the_run_is_taken_up(house: House) -> None:
    """Whoever claims last goes on with the run: it is ended once, and its end stands at the end of its log."""
    run = await house.parked("held")
    await approve(house, run)
    house.ledger.hold("load")
    round_ = asyncio.create_task(house.keeper.round())
    await house.ledger.held("load")
    cancelling = asyncio.create_task(house.host.cancel(run.id, Ending("never mind")))
    await until(lambda: house.ledger.waiting("load") == 2)  # the run has been claimed from the keeper
    house.ledger.free("load")
    assert await cancelling is True
    await round_
    assert house.empty
    assert isinstance((await house.events(run.id))[-1], RunCancelled)


async def test_a_cancellation_that_is_claimed_after_the_run_is_taken_up(house: House) -> None:
    """The run that was taken up loses its fence, and is ended when it is found."""
    run = await house.parked("held")
    house.ledger.hold("claim_run")
    cancelling = asyncio.create_task(house.host.cancel(run.id, Ending("never mind")))
    await house.ledger.held("claim_run")
    await approve(house, run)
    house.ledger.hold("commit_step")
    await house.keeper.round()
    await house.ledger.held("commit_step")
    house.ledger.free("claim_run")
    assert await cancelling is False
    house.ledger.free("commit_step")
    await until(lambda: house.empty)
    assert isinstance((await house.gone_on(run.id))[-1], RunCancelled)
    assert await house.state(run) == ("cancelled", "cancelled")


async def test_a_record_of_before(house: House) -> None:
    """A claim that somebody else has overtaken is dropped."""
    run = await house.parked("held")
    old = await house.host.ledger.claim_run(run.id, house.host.lease)
    new = await house.host.ledger.claim_run(run.id, house.host.lease)
    assert old is not None
    assert new is not None
    await adopt(house.host, old)
    assert house.empty
    await adopt(house.host, new)
    await until(lambda: house.empty)
    assert await house.state(run) == ("waiting", None)


async def test_a_claim_that_comes_while_the_gateway_stops(house: House) -> None:
    """It is given back for the next process."""
    run = await house.parked("held")
    await approve(house, run)
    house.ledger.hold("load")
    round_ = asyncio.create_task(house.keeper.round())
    await house.ledger.held("load")
    await house.host.stop(0)
    house.ledger.free("load")
    await round_
    assert house.empty
    record = await house.record(run.id)
    assert (record.state, record.lease_owner) == ("running", None)
    assert await house.host.ledger.claim(Lease("next", 60), 10)


async def test_a_ledger_that_cannot_be_read(house: House) -> None:
    """The run is tried again a moment later."""
    run = await house.parked("held")
    await approve(house, run)
    house.ledger.fail("load")
    await house.keeper.round()
    assert run.id in house.host.left
    assert isinstance((await house.gone_on(run.id))[-1], RunCompleted)
