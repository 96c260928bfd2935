"""Contracts of the ledger: what turns used is kept with their steps, and adds up."""

from __future__ import annotations

from typing import Any

from headgate.core.messages import Usage
from headgate.stores.port import Ledger
from headgate.stores.records import NewRun
from headgate.stores.sweep import Cutoffs
from headgate.stores.told import Told
from headgate.stores.usage import Spent, TurnUsage, UsageFilter, UsageSum
from headgate.testing.ledger_checks import Contract, Opener, begin, open_session, refused, same
from headgate.testing.ledger_samples import a_commit, a_step, an_end

_DAY = 86400.0
_USED = Usage(input=1, output=2, cache_write=3, cache_write_1h=4, cache_read=5, reasoning=1)


def a_turn(step: int = 1, at: float = 100.0, **changes: Any) -> TurnUsage:
    """A turn that used fifteen tokens and a second and a half, for a quarter of a dollar."""
    fields: dict[str, Any] = {"provider": "claude", "model": "m1", "usage": _USED, "cost": 0.25, "seconds": 1.5}
    return TurnUsage(**{"n": step, "step": step, "at": at, **fields, **changes})


async def _run(ledger: Ledger, *turns: TurnUsage, **changes: Any) -> NewRun:
    """A run of these turns, that has ended with the last of them."""
    new = await begin(ledger, **changes)
    for turn in turns[:-1]:
        await ledger.commit_step(a_commit(new.id, turn.step, told=Told(used=(turn,))))
    last = turns[-1]
    await ledger.finish_run(an_end(new.id, steps=(a_step(last.step),), told=Told(used=(last,)), ended_at=200.0))
    return new


async def _sums(ledger: Ledger, **wanted: Any) -> list[tuple[str, int, float]]:
    found = await ledger.usage(UsageFilter(**{"since": 0.0, "until": 10 * _DAY, **wanted}))
    return [(each.name, each.turns, each.cost) for each in found]


async def usage_is_kept_with_steps(opener: Opener) -> None:
    """What a turn used is kept with its step and with the end of a run, in every class, or not at all."""
    async with opener() as ledger:
        nothing = UsageSum(name="", turns=0, usage=Usage(), cost=0.0, unpriced=0)
        same(await ledger.usage(UsageFilter(since=0.0, until=_DAY)), (nothing,))
        new = await _run(ledger, a_turn(1), a_turn(2, cost=None))
        await refused(ledger.commit_step(a_commit(new.id, 3, told=Told(used=(a_turn(3),)))), "fenced")
        wanted = UsageSum(name="", turns=2, usage=_USED + _USED, cost=0.25, unpriced=1)
        same(await ledger.usage(UsageFilter(since=0.0, until=_DAY)), (wanted,))


async def usage_is_grouped(opener: Opener) -> None:
    """Sums are by agent, key, team, model or day, of one key or of all, and only of the time that is asked for."""
    async with opener() as ledger:
        await _run(ledger, a_turn(1), a_turn(2, at=_DAY, model="m2"))
        await _run(ledger, a_turn(1, at=3 * _DAY), agent="other", principal="guest", team="web")
        same(await _sums(ledger, group="agent"), [("clerk", 2, 0.5), ("other", 1, 0.25)])
        same(await _sums(ledger, group="key"), [("guest", 1, 0.25), ("local", 2, 0.5)])
        same(await _sums(ledger, group="team", key="guest"), [("web", 1, 0.25)])
        same(await _sums(ledger, group="model"), [("m1", 2, 0.5), ("m2", 1, 0.25)])
        days = [("1970-01-01", 1, 0.25), ("1970-01-02", 1, 0.25), ("1970-01-04", 1, 0.25)]
        same(await _sums(ledger, group="day"), days)
        same(await _sums(ledger, group="provider", model="m2"), [("claude", 1, 0.25)])
        same(await _sums(ledger, group="session", agent="other"), [("", 1, 0.25)])
        same(await _sums(ledger, provider="another"), [("", 0, 0.0)])
        same(await _sums(ledger, since=_DAY, until=3 * _DAY), [("", 1, 0.25)])
        same(await _sums(ledger, since=9 * _DAY), [("", 0, 0.0)])


async def spending_is_in_slots(opener: Opener) -> None:
    """What keys, teams and sessions used comes in slots of time; runs without a session are in none."""
    async with opener() as ledger:
        session = await open_session(ledger)
        await _run(ledger, a_turn(1, at=30.0), a_turn(2, at=110.0), a_turn(3, at=_DAY), session_id=session.id)
        await _run(ledger, a_turn(1, at=130.0))
        slots = [Spent("local", 0, 0.5, 30, 2, 3.0), Spent("local", 1, 0.25, 15, 1, 1.5)]
        same(sorted(await ledger.spent("key", 0.0, 3600.0, 2), key=lambda each: each.slot), slots)
        same(await ledger.spent("team", 110.0, 3600.0, 60), (Spent("ops", 0, 0.5, 30, 2, 3.0),))
        found = sorted(await ledger.spent("session", 0.0, 2 * _DAY, 1440), key=lambda each: each.slot)
        same(found, [Spent(session.id, 0, 0.5, 30, 2, 3.0), Spent(session.id, 1, 0.25, 15, 1, 1.5)])


async def other_processes_are_told_apart(opener: Opener) -> None:
    """What this process used can be left out, and turns that were broken off are counted as such."""
    async with opener() as ledger:
        await _run(ledger, a_turn(1, owner="one", broken=True), a_turn(2, owner="two"), a_turn(3, owner="two"))
        same(await ledger.spent("key", 0.0, 3600.0, 60, "two"), (Spent("local", 0, 0.25, 15, 0, 1.5),))
        same(await ledger.spent("key", 0.0, 3600.0, 60, "three"), (Spent("local", 0, 0.75, 45, 2, 4.5),))
        (total,) = await ledger.usage(UsageFilter(since=0.0, until=_DAY))
        same((total.turns, total.broken), (3, 1))


async def usage_outlives_runs(opener: Opener) -> None:
    """A run that is swept leaves its usage; that goes by a cutoff of its own."""
    async with opener() as ledger:
        await _run(ledger, a_turn(1), a_turn(2, at=_DAY))
        same((await ledger.sweep(Cutoffs(runs=1e12), 1000)).runs, 1)
        same(await _sums(ledger), [("", 2, 0.5)])
        same((await ledger.sweep(Cutoffs(usage=_DAY), 1000)).usage, 1)
        same(await _sums(ledger), [("", 1, 0.25)])


USAGE: tuple[Contract, ...] = (
    usage_is_kept_with_steps,
    usage_is_grouped,
    spending_is_in_slots,
    other_processes_are_told_apart,
    usage_outlives_runs,
)
"""The contracts of this module."""
