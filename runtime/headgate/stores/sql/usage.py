"""What model turns used, in SQL: written with their steps, added up for reports and budgets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta

from headgate.core.messages import Usage
from headgate.stores.sql.database import Database, Row, Statement
from headgate.stores.sql.rows import Params, bind
from headgate.stores.usage import MINUTE, Scope, Spent, TurnUsage, UsageFilter, UsageSum

_TOKENS = Usage.__struct_fields__
_OWN = ("minute", "run_id", "fence", "n", "step", "at", "provider", "model", *_TOKENS, "cost", "broken", "owner",
        "seconds")  # fmt: skip
_INSERT = f"""
INSERT INTO usage ({", ".join(_OWN)}, agent, key, team, session_id)
SELECT {", ".join(f":{name}" for name in _OWN)}, agent, principal, team, session_id FROM runs WHERE id = :run_id
"""
_SUMS = f"""
count(*), {", ".join(f"coalesce(sum({name}), 0)" for name in _TOKENS)},
coalesce(sum(cost), 0), count(*) - count(cost), coalesce(sum(broken), 0)
"""
_DAY = 24 * 60
_NAMED = {"agent": "agent", "key": "key", "team": "team", "provider": "provider", "model": "model", "run": "run_id",
          "session": "session_id"}  # fmt: skip
_GROUPS = {**_NAMED, "session": "coalesce(session_id, '')", "day": f"minute / {_DAY}"}
_SCOPES = {"key": "key", "team": "team", "session": "session_id"}
_SPAN = "SELECT (SELECT min(at) FROM usage), (SELECT max(at) FROM usage)"
_NOTHING = UsageSum(name="", turns=0, usage=Usage(), cost=0.0, unpriced=0)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_OLD = """
DELETE FROM usage WHERE (at, run_id, fence, n) IN (
    SELECT at, run_id, fence, n FROM usage WHERE at < :before ORDER BY at LIMIT :limit
)
"""


def accounting(run: object, fence: int, turns: Iterable[TurnUsage]) -> list[Statement]:
    """What keeps the usage of turns of a run, which has to be there."""
    rows = tuple(_row(run, fence, turn, turn.usage) for turn in turns)
    return [Statement(_INSERT, rows)] if rows else []


def _row(run: object, fence: int, turn: TurnUsage, usage: Usage) -> Params:
    return {
        "minute": int(turn.at // MINUTE), "run_id": run, "fence": fence, "n": turn.n, "step": turn.step,
        "at": turn.at, "provider": bind(turn.provider), "model": bind(turn.model), "cost": turn.cost,
        "broken": int(turn.broken), "owner": bind(turn.owner), "seconds": turn.seconds,
        "input": usage.input, "output": usage.output, "cache_write": usage.cache_write,
        "cache_write_1h": usage.cache_write_1h, "cache_read": usage.cache_read, "reasoning": usage.reasoning,
    }  # fmt: skip


class SqlUsage:
    """Fulfils `AccountsLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def usage(self, wanted: UsageFilter, /) -> tuple[UsageSum, ...]:
        """See `AccountsLedger.usage`."""
        params = {of: bind(value) for of in _NAMED if (value := getattr(wanted, of)) is not None}
        own = "".join(f" AND {_NAMED[of]} = :{of}" for of in params)
        name = _GROUPS[wanted.group] if wanted.group else "''"
        sql = f"SELECT {name}, {_SUMS} FROM usage WHERE at >= :since AND at < :until{own} GROUP BY 1"
        sums = {} if wanted.group else {"": _NOTHING}
        async for rows in self._daily(sql, wanted.since, wanted.until, params):
            for each in map(_sum, rows):
                sums[each.name] = _plus(sums[each.name], each) if each.name in sums else each
        return tuple(sums[name] for name in sorted(sums))

    async def spent(
        self, scope: Scope, since: float, until: float, slot: int, other: str | None = None, /
    ) -> tuple[Spent, ...]:
        """See `AccountsLedger.spent`."""
        name, but = _SCOPES[scope], " AND owner <> :other" if other is not None else ""
        sql = f"""
        SELECT {name}, minute / {int(slot)}, coalesce(sum(cost), 0),
               sum(input + output + cache_write + cache_write_1h + cache_read), count(*) - sum(broken), sum(seconds)
        FROM usage WHERE at >= :since AND at < :until AND {name} IS NOT NULL{but} GROUP BY 1, 2
        """
        found: dict[tuple[str, int], Spent] = {}
        async for rows in self._daily(sql, since, until, {"other": bind(other)} if but else {}):
            for name, place, cost, tokens, turns, seconds in rows:
                old = found.get((name, place), Spent(name, place, 0.0, 0))
                found[name, place] = Spent(
                    name,
                    place,
                    old.cost + cost,
                    old.tokens + int(tokens),
                    old.turns + int(turns),
                    old.seconds + seconds,
                )
        return tuple(found.values())

    async def _daily(self, sql: str, since: float, until: float, params: Params) -> AsyncIterator[list[Row]]:
        """The rows of the query for each day, so that commits need not wait long for any; what has no rows is left
        out."""
        (first, last), *_ = await self._database.read(_SPAN)
        if first is None:
            return
        start, end = (
            max(int(since // MINUTE), int(first // MINUTE)),
            min(-int(-until // MINUTE), int(last // MINUTE) + 1),
        )
        for minute in range(start, end, _DAY):
            piece = {"since": minute * MINUTE, "until": min(minute + _DAY, end) * MINUTE}
            yield await self._database.read(sql, **piece, **params)

    async def _forget(self, before: float | None, limit: int) -> tuple[int, bool]:
        """How many turns were deleted, and whether there may be more."""
        if before is None:
            return 0, False
        row: Params = {"before": before // MINUTE * MINUTE, "limit": limit}
        (deleted,) = await self._database.write(Statement(_OLD, (row,)))
        return deleted, deleted == limit


def _sum(row: Row) -> UsageSum:
    name, turns, *tokens, cost, unpriced, broken = row
    return UsageSum(
        name=_day(name) if isinstance(name, int) else name, turns=turns,
        usage=Usage(*map(int, tokens)), cost=float(cost), unpriced=unpriced, broken=int(broken),
    )  # fmt: skip


def _plus(one: UsageSum, more: UsageSum) -> UsageSum:
    return UsageSum(
        name=one.name, turns=one.turns + more.turns, usage=one.usage + more.usage, cost=one.cost + more.cost,
        unpriced=one.unpriced + more.unpriced, broken=one.broken + more.broken,
    )  # fmt: skip


def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).date().isoformat()
