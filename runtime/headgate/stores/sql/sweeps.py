"""What the ledger deletes when it is old, in SQL.

Each kind is a transaction or more of its own, so that the commits of runs that go on need not wait long.
"""

from __future__ import annotations

from headgate.core.errors import StoreError
from headgate.stores.sql.audit import SqlAudit
from headgate.stores.sql.database import Database, Guard, Statement
from headgate.stores.sql.rows import Params
from headgate.stores.sql.sessions import deletion
from headgate.stores.sql.usage import SqlUsage
from headgate.stores.sweep import Cutoffs, Swept

# A run is marked when nothing is left of it: the next sweep need not look at it again.
_EVENTS = """
DELETE FROM events WHERE (run_id, fence, n) IN (
    SELECT events.run_id, events.fence, events.n FROM runs JOIN events ON events.run_id = runs.id
    WHERE runs.has_events = 1 AND runs.ended_at < :before ORDER BY runs.ended_at LIMIT :limit
)
"""
_NO_EVENTS = """
UPDATE runs SET has_events = 0 WHERE id IN (
    SELECT id FROM runs WHERE has_events = 1 AND ended_at < :before
    AND NOT EXISTS (SELECT 1 FROM events WHERE events.run_id = runs.id) ORDER BY ended_at LIMIT :limit
)
"""
_STEPS = """
DELETE FROM steps WHERE (run_id, n) IN (
    SELECT steps.run_id, steps.n FROM runs JOIN steps ON steps.run_id = runs.id
    WHERE runs.has_steps = 1 AND runs.ended_at < :before ORDER BY runs.ended_at LIMIT :limit
)
"""
_NO_STEPS = """
UPDATE runs SET has_steps = 0 WHERE id IN (
    SELECT id FROM runs WHERE has_steps = 1 AND ended_at < :before
    AND NOT EXISTS (SELECT 1 FROM steps WHERE steps.run_id = runs.id) ORDER BY ended_at LIMIT :limit
)
"""
_RUNS = """
DELETE FROM runs WHERE id IN (
    SELECT id FROM runs WHERE session_id IS NULL AND ended_at < :before
    AND NOT EXISTS (SELECT 1 FROM runs AS later WHERE later.prior_run = runs.id)
    AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.head_run = runs.id)
    ORDER BY ended_at LIMIT :limit
)
RETURNING prior_run
"""
_OLD = "updated_at < :before AND created_at < :before"
_SESSIONS = f"""
SELECT id FROM sessions WHERE {_OLD} AND NOT EXISTS (
    SELECT 1 FROM runs WHERE runs.session_id = sessions.id AND runs.ended_at IS NULL
)
ORDER BY updated_at LIMIT :limit
"""
_STILL_OLD = f"UPDATE sessions SET state = state WHERE id = :id AND {_OLD}"
_IN_USE = Guard("store_conflict", "The session was used meanwhile.")
_HEAVY = 20
"""A run or a session counts as so many rows: its own go with it."""


class SqlSweeps(SqlAudit, SqlUsage):
    """Fulfils `Ledger.sweep`."""

    _database: Database

    async def sweep(self, cutoffs: Cutoffs, limit: int, /) -> Swept:
        """See `Ledger.sweep`."""
        few = max(1, limit // _HEAVY)
        sessions = await self._sessions(cutoffs.sessions, few)
        runs, chained = await self._runs(cutoffs.runs, few)
        steps, unmarked = await self._rows(_STEPS, _NO_STEPS, cutoffs.runs, limit)
        events, unread = await self._rows(_EVENTS, _NO_EVENTS, cutoffs.events, limit)
        audit, unverified = await self._trim(cutoffs.audit, limit)
        usage, unpaid = await self._forget(cutoffs.usage, limit)
        more = chained or unmarked or unread or unverified or unpaid or few in (sessions, runs)
        return Swept(events=events, runs=runs, steps=steps, sessions=sessions, audit=audit, usage=usage, more=more)

    async def _rows(self, delete: str, mark: str, before: float | None, limit: int) -> tuple[int, bool]:
        """How many rows were deleted, and whether there may be more."""
        if before is None:
            return 0, False
        row: Params = {"before": before, "limit": limit}
        deleted, marked = await self._database.write(Statement(delete, (row,)), Statement(mark, (row,)))
        return deleted, limit in (deleted, marked)

    async def _runs(self, before: float | None, limit: int) -> tuple[int, bool]:
        """How many runs were deleted, and whether one of them stood on another."""
        if before is None:
            return 0, False
        rows = await self._database.change(Statement(_RUNS, ({"before": before, "limit": limit},)))
        return len(rows), any(prior is not None for (prior,) in rows)

    async def _sessions(self, before: float | None, limit: int) -> int:
        if before is None:
            return 0
        found = await self._database.read(_SESSIONS, before=before, limit=limit)
        return sum([await self._session({"id": session}, before) for (session,) in found])

    async def _session(self, row: Params, before: float) -> int:
        try:
            await self._database.write(Statement(_STILL_OLD, (row | {"before": before},), _IN_USE), *deletion(row))
        except StoreError as error:
            if error.code == "store_conflict":
                return 0
            raise
        return 1
