"""Policies with conditions, qualifiers and modes, as runs meet them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.core.events import ApprovalRequested, Event, PolicyDecided
from headgate.engine.answers import decided
from headgate.stores.waits import Vote, WaitRecord
from tests.conftest import Tree
from tests.engine.asking import problem, results
from tests.engine.house import House, finished, housed

SCRIPT = """
- {when: {user_contains: small}, call: add, args: {a: 1, b: 2}}
- {when: {user_contains: large}, call: add, args: {a: 1000, b: 2}}
- {when: {user_contains: other}, call: add, args: {a: 5000, b: 2}}
- {when: {user_contains: refused}, call: fail, args: {how: tool}}
- {text: Well.}
"""
LARGE = """
[approvals.large]
tools = ["add"]
when = "args.a > 100"
decide = "ask"
remember = "session"
qualifier = "string(args.a)"
"""
WATCHED = """
[approvals.warned]
tools = ["add"]
decide = "ask"
mode = "warn"
[approvals.counted]
tools = ["add"]
decide = "deny"
mode = "audit"
"""


@pytest.fixture
async def house(tree: Tree) -> AsyncIterator[House]:
    """A house where large sums are asked about."""
    async with housed(tree(SCRIPT, toml=LARGE)) as house:
        yield house


async def approved(house: House, wait: WaitRecord, *, remember: bool = False) -> None:
    """A person approves."""
    vote = Vote(by="tester", decision="approve", at=house.now())
    assert await house.host.answer(decided(wait, vote, team="ops", remember=remember)) is not None


async def test_a_condition(house: House) -> None:
    """Only calls of which it is true are held."""
    events = await finished(await house.host.submit(house.order("small")))
    assert results(events)[0].structured == {"sum": 3}
    await house.parked("large")


async def test_a_qualifier(house: House) -> None:
    """What is remembered covers the calls with the same qualifier, which people are shown, and no others."""
    session = await house.session()
    run = await house.parked("large", session)
    (wait,) = await house.questions()
    (event,) = [each for each in run.log.events if isinstance(each, ApprovalRequested)]
    assert (wait.qualifier, event.qualifier, wait.may_remember) == ("1000", "1000", True)
    await approved(house, wait, remember=True)
    await house.gone_on(run.id)
    assert [grant.qualifier for grant in await house.host.ledger.grants(session.id)] == ["1000"]
    events = await finished(await house.host.submit(house.order("large"), session))
    assert results(events)[0].structured == {"sum": 1002}
    await house.parked("other", session)


async def test_a_qualifier_that_fails(tree: Tree) -> None:
    """Such a call is always asked about, and its answer is not remembered; people are shown none."""
    async with housed(tree(SCRIPT, toml=LARGE.replace("string(args.a)", "string(1 / (args.a - args.a))"))) as house:
        session = await house.session()
        for _ in range(2):
            run = await house.parked("large", session)
            (wait,) = await house.questions()
            assert (wait.qualifier, wait.may_remember) == (None, False)
            await approved(house, wait, remember=True)
            await house.gone_on(run.id)
        assert await house.host.ledger.grants(session.id) == ()


def told(events: list[Event]) -> list[dict[str, Any]]:
    """What policies that do not count said."""
    names = ("policy", "action", "code", "message", "mode", "name")
    found = [event for event in events if isinstance(event, PolicyDecided)]
    return [{name: getattr(event, name) for name in names} for event in found]


async def test_a_watched_policy(tree: Tree) -> None:
    """With `warn` the call goes on, and clients and the model read what would have been; `audit` only counts."""
    async with housed(tree(SCRIPT, toml=WATCHED)) as house:
        events = await finished(await house.host.submit(house.order("small")))
        counts = [
            (each["policy"], each["action"], each["mode"], each["count"]) for each in house.host.decisions.shown()
        ]
    said = "policy 'warned' would have held add until a person answers"
    expected = {"policy": "warned", "action": "ask", "code": "approval_required", "message": said, "mode": "warn"}
    assert told(events) == [{**expected, "name": "add"}]
    assert results(events)[0].structured == {"sum": 3, "_warnings": [f"warned: {said}"]}
    assert counts == [("counted", "deny", "audit", 1), ("warned", "ask", "warn", 1)]


async def test_a_watched_policy_beside_one_that_counts(tree: Tree) -> None:
    """It is told once, however often the call comes by, and only where it would have been stricter."""
    async with housed(tree(SCRIPT, toml=WATCHED.replace("audit", "warn") + LARGE)) as house:
        run = await house.parked("large")
        (wait,) = await house.questions()
        await approved(house, wait)
        events = await house.gone_on(run.id)
    assert [each["policy"] for each in told(events)] == ["counted"]
    assert results(events)[0].structured["_warnings"] == ["counted: policy 'counted' would have denied add"]


async def test_a_watched_policy_that_refuses_nothing(tree: Tree) -> None:
    """What is refused otherwise is refused with its own reason."""
    toml = '[approvals.no]\ntools = ["fail"]\ndecide = "deny"\n' + WATCHED.replace('"add"', '"fail"')
    async with housed(tree(SCRIPT, toml=toml)) as house:
        events = await finished(await house.host.submit(house.order("refused")))
    assert (problem(*results(events))[1], told(events)) == ("policy_denied", [])
