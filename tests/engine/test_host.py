"""The host under cancellation and with a store that fails: nothing leaks, and every run ends once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from headgate.boot import Place, open_gateway
from headgate.core.errors import Conflict, Invalid, StoreError, Unavailable
from headgate.core.events import (
    AttemptStarted,
    MessageCompleted,
    RunCancelled,
    RunCompleted,
    RunEnd,
    RunResumed,
    RunStarted,
    RunWaiting,
    ToolCompleted,
)
from headgate.core.messages import Message, Text
from headgate.engine.leftovers import Leftovers
from headgate.engine.run import Ending, Order
from tests import workshop
from tests.conftest import Tree
from tests.engine.house import House, finished, housed, left
from tests.waiting import until

SCRIPT = """
- {when: {user_contains: tool}, call: wait, args: {name: tool}}
- {when: {user_contains: slow}, delay: 1h, text: one two}
- {text: Hello there}
"""


@pytest.fixture
async def house(tree: Tree) -> AsyncIterator[House]:
    """A house whose tree plays `SCRIPT`."""
    async with housed(tree(SCRIPT)) as house:
        yield house


async def test_a_run(house: House) -> None:
    """A run is committed with its message before its end is told, and holds nothing afterwards."""
    run = await house.host.submit(house.order())
    events = await finished(run)
    assert [type(event) for event in events[-2:]] == [MessageCompleted, RunCompleted]
    assert [event.n for event in events] == list(range(1, len(events) + 1))
    assert await house.state(run) == ("completed", "success")
    assert house.empty


async def test_a_run_that_cannot_be_committed(house: House) -> None:
    """A store that fails refuses the run, and the session is as before."""
    session = await house.session()
    house.ledger.fail("create_run")
    with pytest.raises(StoreError):
        await house.host.converse(house.order(), session)
    assert (session.streaming, session.head_run, house.host.streams.count("tester")) == (False, None, 0)
    assert house.empty


@pytest.mark.parametrize("method", ["create_run", "conversation"])
async def test_a_caller_that_is_cancelled(house: House, method: str) -> None:
    """A caller cancelled while its run is being made leaves neither a run, a lease nor a busy session."""
    session = await house.session()
    (await house.host.converse(house.order(), session))[0].close()
    await until(lambda: house.empty)
    house.ledger.hold(method)
    order = house.order("slow")
    more = replace(order, messages=order.messages * 2)  # what may repeat the conversation has it read
    caller = asyncio.create_task(house.host.converse(more, session))
    await house.ledger.held(method)
    caller.cancel()
    house.ledger.free(method)
    with pytest.raises(asyncio.CancelledError):
        await caller
    await until(lambda: house.empty)
    assert (session.streaming, house.host.streams.count("tester")) == (False, 0)
    exchanges = await house.host.ledger.conversation(session.id)
    assert {exchange.state for exchange in exchanges} <= {"completed", "cancelled"}


async def test_a_step_that_cannot_be_committed(house: House) -> None:
    """The run is left as it was before the step, and its turn is made again later."""
    workshop.gate("tool").set()
    house.ledger.fail("commit_step")
    run = await house.host.submit(house.order("tool"))
    told = await left(run)
    assert [type(event) for event in told] == [RunStarted]
    assert run.log.broken is not None
    assert run.log.broken.code == "store_full"
    assert (await house.state(run), house.empty) == (("running", None), True)
    events = await house.gone_on(run.id)
    assert [type(event) for event in events][:4] == [RunStarted, RunResumed, AttemptStarted, MessageCompleted]
    assert isinstance(events[-1], RunCompleted)
    assert [step.n for step in await house.host.ledger.steps(run.id)] == [1, 2, 3]


async def test_a_tool_step_that_cannot_be_committed(house: House) -> None:
    """A result that is not kept is not told; the call, which may not be made twice, has an unknown outcome later."""
    run = await house.host.submit(house.order("tool"))
    await until(lambda: "tool" in workshop.entered)
    house.ledger.fail("commit_step")
    workshop.gate("tool").set()
    assert not any(isinstance(event, ToolCompleted) for event in await left(run))
    assert (await house.state(run), house.empty) == (("running", None), True)
    assert isinstance((await house.gone_on(run.id))[-1], RunWaiting)
    (question,) = await house.questions()
    assert await house.answer(question, "answered", "done")
    assert isinstance((await house.gone_on(run.id))[-1], RunCompleted)
    assert workshop.entered == ["tool"]


@pytest.mark.parametrize("times", [1, 2])
async def test_an_end_that_cannot_be_committed(house: House, times: int) -> None:
    """No end is told that is not kept: the run is left, still this process's to try again, and ends later."""
    house.ledger.fail("finish_run", times)
    run = await house.host.submit(house.order())
    assert not any(isinstance(event, RunEnd) for event in await left(run))
    record = await house.record(run.id)
    assert (record.state, record.outcome, record.lease_owner) == ("running", None, house.host.lease.owner)
    assert house.empty
    clock = 0.0
    house.host.left = Leftovers(lambda: clock)
    house.host.left.add(run.id)
    for _ in range(times):
        await house.gone_on(run.id)
        clock += 60
    assert await house.state(run) == ("completed", "success")


async def test_a_cancellation_before_the_beginning(house: House) -> None:
    """A run that is cancelled before its task has begun ends as cancelled."""
    run = await house.host.submit(house.order("slow"))
    run.cancel(Ending("never mind"))
    run.cancel(Ending("the second reason"))
    events = await finished(run)
    assert isinstance(events[-1], RunCancelled)
    assert events[-1].reason == "never mind"
    assert await house.state(run) == ("cancelled", "cancelled")


async def test_a_cancellation_while_a_step_is_committed(house: House) -> None:
    """The step is kept and told, then the run ends."""
    house.ledger.hold("commit_step")
    run = await house.host.submit(house.order("tool"))
    await house.ledger.held("commit_step")
    run.cancel(Ending("stop"))
    house.ledger.free("commit_step")
    events = await finished(run)
    assert [type(event) for event in events[-2:]] == [MessageCompleted, RunCancelled]
    assert [step.status for step in await house.host.ledger.steps(run.id)] == ["ok"]


async def test_a_cancellation_that_comes_too_late(house: House) -> None:
    """A run whose end is being committed ends as it was going to."""
    house.ledger.hold("finish_run")
    run = await house.host.submit(house.order())
    await house.ledger.held("finish_run")
    run.cancel(Ending("stop"))
    house.ledger.free("finish_run")
    assert isinstance((await finished(run))[-1], RunCompleted)
    assert await house.state(run) == ("completed", "success")


async def test_a_cancelled_call_has_a_result(house: House) -> None:
    """A call that is cut off is told and committed as cancelled, and answered in the transcript."""
    session = await house.session()
    run = await house.host.submit(house.order("tool"), session)
    await until(lambda: "tool" in workshop.entered)
    run.cancel(Ending("stop"))
    (told,) = [event for event in await finished(run) if isinstance(event, ToolCompleted)]
    assert told.result.status == "cancelled"
    (exchange,) = await house.host.ledger.conversation(session.id)
    assert [message.role for message in exchange.produced] == ["assistant", "user"]


async def test_a_new_chat_takes_over(house: House) -> None:
    """A chat on a detached run cancels that run first; on a watched one it is refused."""
    session = await house.session()
    question, run = await house.host.converse(house.order("slow"), session)
    with pytest.raises(Conflict):
        await house.host.converse(house.order(), session)
    question.close()
    answer, second = await house.host.converse(house.order(), session)
    assert isinstance(run.log.events[-1], RunCancelled)
    assert session.run is second
    await finished(second)
    await until(lambda: session.run is None)
    answer.close()


async def test_a_refused_chat_ends_nothing(house: House) -> None:
    """A chat that is refused for its own faults leaves the detached run alone."""
    session = await house.session()
    subscription, run = await house.host.converse(house.order("slow"), session)
    subscription.close()
    with pytest.raises(Invalid):
        await house.host.converse(house.order(model="gpt-9"), session)
    assert not run.finished


async def test_stopping(house: House) -> None:
    """Stopping leaves what runs, also a run that is just being made; new work is refused; resources are closed."""
    running = await house.host.submit(house.order("slow"))
    house.ledger.hold("create_run")
    making = asyncio.create_task(house.host.submit(house.order("slow")))
    await house.ledger.held("create_run")
    stopping = asyncio.create_task(house.host.stop(0))
    await asyncio.wait([running.task] if running.task else [])
    house.ledger.free("create_run")
    await stopping
    for run in (running, await making):
        told = await left(run)
        assert isinstance(told[0], RunStarted)
        assert await house.state(run) == ("running", None)
    with pytest.raises(Unavailable):
        await house.host.submit(house.order())
    assert house.host.snapshot.gone


async def test_what_was_said_before_the_end_is_kept(tree: Tree) -> None:
    """The words of a turn that was cut off are in the ledger as the client heard them."""
    root = tree("- {delay: 5ms, text: '" + "word " * 1000 + "'}\n")
    async with open_gateway(Place(tree=root, environ={}), watch=False) as gateway:
        host, (principal,) = gateway.edge.host, gateway.snapshot.principals.values()
        session = await host.sessions.open(principal, "helper", ttl=60, limit=10)
        run = await host.submit(Order(principal, "helper", (Message("user", (Text("hi"),)),)), session)
        await until(lambda: len(run.log.events) > 3)
        run.cancel(Ending("stop"))
        await finished(run)
        (exchange,) = await host.ledger.conversation(session.id)
        (step,) = await host.ledger.steps(run.id)
    assert exchange.answer.startswith("word word ")
    assert exchange.produced[0].text == exchange.answer
    assert (step.kind, step.status) == ("model", "cancelled")
