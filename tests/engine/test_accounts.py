"""Budgets across runs: windows that go along, calendars, restarts, and what is told when one is used up."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from headgate.compile.accounting import Budget, Budgets
from headgate.core.context import Principal
from headgate.core.errors import Overloaded, StoreError
from headgate.engine.accounts import Accounts
from headgate.engine.windows import Used
from headgate.stores import open_ledger
from headgate.stores.port import Ledger
from headgate.stores.told import Told
from headgate.testing.faulty_ledger import FaultyLedger
from headgate.testing.ledger_checks import begin
from headgate.testing.ledger_samples import a_commit
from headgate.testing.ledger_usage import a_turn

LOCAL, GUEST = (Principal(name, "ops", name, frozenset()) for name in ("local", "guest"))
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()
DAY = 86400.0


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def budget(**keys: Any) -> Budget:
    """A budget as a manifest writes it."""
    return Budget.model_validate(keys)


async def opened(ledger: Ledger, clock: Time, **budgets: Budget) -> Accounts:
    """Accounts that keep these budgets."""
    accounts = Accounts(ledger, clock)
    await accounts.keep(Budgets(**budgets))
    return accounts


async def test_one_budget_for_each(tmp_path: Path) -> None:
    """Keys have their own, teams share one, and a run without a session has none of a session."""
    async with open_ledger("sqlite://", tmp_path) as ledger:
        accounts = await opened(
            ledger, Time(), per_key=budget(usd=1.0), per_team=budget(usd=1.5), per_session=budget(tokens=100)
        )
        accounts.of(LOCAL, "sess_a").add(Used(1.0, 60))
        told = {"limit": "budget_usd", "cost": 1.0, "budget": 1.0, "per": "key", "window": "1d"}
        assert accounts.of(LOCAL, "").over() == told
        assert accounts.of(GUEST, "").over() is None
        accounts.of(GUEST, "sess_a").add(Used(0.5, 40))
        assert accounts.of(GUEST, "").over() == told | {"cost": 1.5, "budget": 1.5, "per": "team"}
        stranger = Principal("stranger", "other", "d", frozenset())
        assert accounts.of(stranger, "").over() is None
        limit = accounts.of(stranger, "sess_a").over()
        assert limit == {"limit": "budget_tokens", "tokens": 100, "budget": 100, "per": "session", "window": "1d"}


async def test_a_window_that_goes_along(tmp_path: Path) -> None:
    """What was used counts until its time is over, to a part of the window, and then there is room again."""
    async with open_ledger("sqlite://", tmp_path) as ledger:
        clock = Time()
        accounts = await opened(ledger, clock, per_key=budget(tokens=100, window="4h"))
        account = accounts.of(LOCAL, "")
        account.add(Used(0.0, 60))
        clock.now += 3600
        account.add(Used(0.0, 60))
        with pytest.raises(
            Overloaded, match=r"the budget of key 'local' is used up: 120 of 100 tokens in 4h"
        ) as caught:
            account.require()
        after = caught.value.details["retry_after"]
        assert (caught.value.code, 3 * 3600 <= after <= 3 * 3600 + 120) == ("budget_exhausted", True)
        clock.now += after - 120
        assert account.over() is not None
        clock.now += 121
        assert account.over() is None
        account.require()


async def test_turns_and_time(tmp_path: Path) -> None:
    """They are counted like money, also from the ledger, and a time that goes back counts nothing."""
    async with open_ledger("sqlite://", tmp_path) as ledger:
        clock = Time()
        new = await begin(ledger)
        used = (a_turn(1, at=NOON, seconds=20.0), a_turn(2, at=NOON, seconds=9.0, broken=True))
        await ledger.commit_step(a_commit(new.id, 1, told=Told(used=used)))
        accounts = await opened(ledger, clock, per_team=budget(turns=3), per_key=budget(time="1m"))
        account = accounts.of(LOCAL, "")
        assert account.over() is None
        account.add(Used(turns=1, seconds=30.0))
        assert account.over() is None
        account.add(Used(seconds=1.5))
        told = {"limit": "budget_time", "seconds": 60.5, "budget": 60.0, "per": "key", "window": "1d"}
        assert account.over() == told
        with pytest.raises(Overloaded, match=r"the budget of key 'local' is used up: 60.5 of 60 seconds in 1d"):
            account.require()
        other = accounts.of(GUEST, "")
        other.add(Used(turns=1))
        assert other.over() == {"limit": "budget_turns", "turns": 3, "budget": 3, "per": "team", "window": "1d"}
        with pytest.raises(Overloaded, match=r"the budget of team 'ops' is used up: 3 of 3 turns in 1d"):
            other.require()
        assert (account.limits, account.limits_usd) == (False, False)


@pytest.mark.parametrize(
    ("window", "until"),
    [("calendar_day", datetime(2026, 12, 1, tzinfo=UTC)), ("calendar_month", datetime(2026, 12, 1, tzinfo=UTC))],
)
async def test_the_calendar(tmp_path: Path, window: str, until: datetime) -> None:
    """A day and a month begin anew at midnight in UTC, and a refusal says when that is."""
    async with open_ledger("sqlite://", tmp_path) as ledger:
        clock = Time()
        accounts = await opened(ledger, clock, per_key=budget(usd=1, window=window))
        account = accounts.of(LOCAL, "")
        account.add(Used(1.0, 1))
        with pytest.raises(Overloaded) as caught:
            account.require()
        assert caught.value.details["retry_after"] == until.timestamp() - NOON + 1
        clock.now = until.timestamp() - 1
        assert account.over() is not None
        clock.now += 1
        assert account.over() is None


async def test_a_month_is_more_than_a_day(tmp_path: Path) -> None:
    """What was used on an earlier day of the month counts."""
    async with open_ledger("sqlite://", tmp_path) as ledger:
        clock = Time()
        clock.now -= 20 * DAY
        accounts = await opened(ledger, clock, per_key=budget(usd=1, window="calendar_month"))
        accounts.of(LOCAL, "").add(Used(1.0, 1))
        clock.now = NOON
        assert accounts.of(LOCAL, "").over() is not None


async def test_a_restart(tmp_path: Path) -> None:
    """The counts begin with what the ledger knows of the window, and no more than that."""
    async with open_ledger("sqlite://", tmp_path) as ledger:
        new = await begin(ledger)
        for step, at in enumerate((NOON - 2 * DAY, NOON - 3600, NOON - 60), 1):
            await ledger.commit_step(a_commit(new.id, step, told=Told(used=(a_turn(step, at=at),))))
        accounts = await opened(ledger, Time(), per_key=budget(usd=0.75), per_team=budget(usd=0.5))
        limit = accounts.of(LOCAL, "").over()
        assert limit is not None
        assert (limit["per"], limit["cost"]) == ("team", 0.5)


async def test_budgets_that_change(tmp_path: Path) -> None:
    """Other budgets count what was used before they were declared; when they cannot be read, those before hold."""
    async with open_ledger("sqlite://", tmp_path) as ledger:
        faulty, clock = FaultyLedger(ledger), Time()
        accounts = await opened(faulty.as_ledger(), clock)
        assert (accounts.limits, accounts.limits_usd) == (False, False)
        new = await begin(ledger)
        await ledger.commit_step(a_commit(new.id, told=Told(used=(a_turn(at=NOON - 60),))))
        faulty.fail("spent")
        with pytest.raises(StoreError):
            await accounts.keep(Budgets(per_key=budget(usd=0.25)))
        assert accounts.of(LOCAL, "").over() is None
        await accounts.keep(Budgets(per_key=budget(usd=0.25)))
        assert (accounts.limits, accounts.limits_usd) == (True, True)
        assert accounts.of(LOCAL, "").over() is not None
        await accounts.keep(Budgets(per_key=budget(tokens=1000)))
        assert (accounts.limits, accounts.limits_usd) == (True, False)
        assert accounts.of(LOCAL, "").over() is None


async def test_what_is_over_is_forgotten(tmp_path: Path) -> None:
    """Sessions that used nothing in the window take no memory for ever."""
    async with open_ledger("sqlite://", tmp_path) as ledger:
        clock = Time()
        budgets = {"per_session": budget(tokens=10, window="1h")}
        accounts = await opened(ledger, clock, **budgets)
        for n in range(100):
            accounts.of(LOCAL, f"sess_{n}").add(Used(0.0, 10))
        clock.now += 2 * 3600
        await accounts.keep(Budgets(**budgets))
        (book,) = accounts._books
        assert book._counts == {}


async def test_other_processes(tmp_path: Path) -> None:
    """What another process on the ledger uses is followed, and counted once, whenever it is looked for."""
    async with open_ledger("sqlite://", tmp_path) as ledger:
        clock = Time()
        one, two = Accounts(ledger, clock, owner="one"), Accounts(ledger, clock, owner="two")
        limits = Budgets(per_key=budget(tokens=46))
        new = await begin(ledger)
        for n, owner in ((1, "two"), (2, "one"), (3, "two")):
            accounts = {"one": one, "two": two}[owner]
            accounts.of(LOCAL, "").add(Used(0.25, 15))
            turn = a_turn(n, at=clock.now, owner=owner)
            await ledger.commit_step(a_commit(new.id, n, told=Told(used=(turn,))))
            await one.keep(limits)
            await one.keep(limits)
            clock.now += 1
        assert one.of(LOCAL, "").over() is None
        await two.keep(limits)
        accounts.of(LOCAL, "").add(Used(0.25, 15))
        await ledger.commit_step(a_commit(new.id, 4, told=Told(used=(a_turn(4, at=clock.now, owner="two"),))))
        await one.keep(limits)
        over = [each.of(LOCAL, "").over() for each in (one, two)]
    assert [each and each["tokens"] for each in over] == [60, 60]
