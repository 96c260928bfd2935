"""Budgets: what counts, for whom, for how long, and what is refused when nothing is left."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from headgate.core.context import SessionInfo
from headgate.core.errors import PolicyRefused
from headgate.core.kind import Scope
from headgate.core.messages import ToolResult, Usage
from headgate.interceptors.budget import KIND, Budget, BudgetSpec
from headgate.interceptors.budget_meter import MemoryMeter, Spent, calendar, rolling
from headgate.testing.harness import live, spoken
from tests.conftest import Tree
from tests.interceptors.stage import Behind, Ear, Speaking, asking, called, heard, opened

OTHER = SessionInfo("sess_2", "sales", "other")


async def turn(budget: Any, model: Speaking, **keys: Any) -> list[str]:
    return await heard(budget.around_model(Ear().run(**keys), asking("hi"), model))


async def test_usd() -> None:
    """Turns go on until what they cost reaches the budget; the next one is not made."""
    model = Speaking(cost=0.5)
    async with opened(KIND, {"usd": 1.0}) as budget:
        for _ in range(2):
            assert await turn(budget, model) == ["Hello ", "there"]
        with pytest.raises(PolicyRefused, match=r"this key is spent: 1\.0000 of 1 USD this day") as caught:
            await turn(budget, model)
    assert (caught.value.code, len(model.asked)) == ("budget_exceeded", 2)
    assert caught.value.details == {"limit": "usd", "spent": 1.0, "budget": 1.0}


async def test_tokens_of_all_classes() -> None:
    """Whatever is billed counts; calls are refused as well, since no turn will read what they answer."""
    model, behind = Speaking(usage=Usage(input=10, output=5, cache_read=85)), Behind()
    async with opened(KIND, {"tokens": 100}) as budget:
        await turn(budget, model)
        with pytest.raises(PolicyRefused, match="100 of 100 tokens"):
            await budget.around_tool(Ear().tool(), called(), behind)
    assert behind.calls == []


async def test_a_model_without_a_price() -> None:
    """A budget in USD that cannot be kept is none: the turn is refused, and the message says what to do."""
    async with opened(KIND, {"usd": 1.0}) as budget:
        with pytest.raises(PolicyRefused, match="m has no price") as caught:
            await turn(budget, Speaking(cost=None))
    assert caught.value.code == "price_unknown"


async def test_parallel_calls() -> None:
    """Of calls side by side exactly as many are made as are left."""
    behind = Behind()
    async with opened(KIND, {"calls": 3}) as budget:
        work = [budget.around_tool(Ear().tool(), called(n=n), behind) for n in range(8)]
        results = await asyncio.gather(*work, return_exceptions=True)
    assert len(behind.calls) == 3
    assert sum(isinstance(each, PolicyRefused) for each in results) == 5


async def test_calls_do_not_stop_turns() -> None:
    """A model whose calls are used up may still answer."""
    async with opened(KIND, {"calls": 1}) as budget:
        assert budget.touches == {"tool"}
        assert isinstance(await budget.around_tool(Ear().tool(), called(), Behind()), ToolResult)
        assert await turn(budget, Speaking()) == ["Hello ", "there"]


@pytest.mark.parametrize("per", ["key", "team", "session", "agent", "tool"])
async def test_everybody_has_a_budget_of_their_own(per: str) -> None:
    """What one holder spends is no other's."""
    keys: dict[str, Any] = {"agent": "other", "session": OTHER, "run": "run_2"}
    async with opened(KIND, {"calls": 1, "per": per}) as budget:
        await budget.around_tool(Ear().tool(), called(), Behind())
        await budget.around_tool(Ear().tool(**keys), called("other"), Behind())
        with pytest.raises(PolicyRefused, match=f"this {per}"):
            await budget.around_tool(Ear().tool(), called(), Behind())


async def test_runs_without_a_session() -> None:
    """Each counts as a session of its own."""
    async with opened(KIND, {"calls": 1, "per": "session"}) as budget:
        for run in ("run_1", "run_2"):
            context = Ear().tool(session=SessionInfo("", "ops", "local"), run=run)
            assert (await budget.around_tool(context, called(), Behind())).status == "ok"


async def test_a_watched_turn_is_counted() -> None:
    """What is only watched has been made and paid for: it counts on, and every further turn is reported."""
    meter = MemoryMeter(rolling(60), lambda: 0.0)
    budget = Budget(BudgetSpec(kind="budget", tokens=15), meter)
    await turn(budget, Speaking(), watched=True)
    with pytest.raises(PolicyRefused):
        await turn(budget, Speaking(), watched=True)
    assert (await meter.spent("local")).tokens == 30


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "one of usd, tokens and calls"),
        ({"usd": 1, "per": "tool"}, "belong to no tool"),
        ({"calls": 1, "window": "week"}, "not a duration"),
        ({"calls": 1, "window": "10ms"}, "at least one second"),
    ],
)
def test_what_makes_no_sense(keys: dict[str, Any], said: str) -> None:
    """A budget of nothing, or for nobody, is an error."""
    with pytest.raises(ValidationError, match=said):
        BudgetSpec.model_validate({"kind": "budget", **keys})


def test_the_time_zone_is_known() -> None:
    """A misspelt time zone is found at load."""
    spec = BudgetSpec(kind="budget", calls=1, timezone="Europe/Berlim")
    assert [each.key for each in KIND.check(spec, Scope("sample"))] == [("timezone",)]


# -- the meter -------------------------------------------------------------------------------------------------------


async def test_a_rolling_window() -> None:
    """What is older than the window is forgotten, a part of it at a time."""
    now = 1000.0
    meter = MemoryMeter(rolling(60), lambda: now)
    await meter.add("a", Spent(calls=1))
    now = 1030.0
    assert await meter.add("a", Spent(calls=1)) == Spent(calls=2)
    now = 1060.0
    assert await meter.spent("a") == Spent(calls=1)
    now = 1090.0
    assert await meter.spent("a") == Spent()


@pytest.mark.parametrize(
    ("unit", "after"), [("day", datetime(2026, 3, 2, tzinfo=UTC)), ("month", datetime(2026, 4, 1))]
)
async def test_calendar_windows(unit: Any, after: datetime) -> None:
    """Days and months begin at midnight of their time zone."""
    zone = ZoneInfo("Asia/Tokyo")
    now = datetime(2026, 3, 1, 0, 1, tzinfo=zone).timestamp()
    meter = MemoryMeter(calendar(unit, zone), lambda: now)
    await meter.add("a", Spent(usd=1.0))
    now = after.replace(tzinfo=zone).timestamp() - 1
    assert await meter.spent("a") == Spent(usd=1.0)
    now += 1
    assert await meter.spent("a") == Spent()


async def test_what_is_given_back() -> None:
    """A negative amount takes back, also when the clock was set back meanwhile."""
    now = 1000.0
    meter = MemoryMeter(rolling(60), lambda: now)
    await meter.add("a", Spent(calls=2))
    now = 900.0
    assert await meter.add("a", Spent(calls=-1)) == Spent(calls=1)


async def test_in_a_gateway(tree: Tree) -> None:
    """The client reads why there is no answer, and the run ends as usual."""
    toml = '[interceptors.pocket]\nkind = "budget"\ntokens = 1\n'
    async with live(tree(toml=toml)) as gateway:
        session = await gateway.session()
        first = await session.say("hi")
        second = await session.say("more")
    assert spoken(first) == "Hello there"
    assert spoken(second).startswith("the budget of this key is spent")
    assert second[-1]["type"] == "stream_complete"
