"""Who owns which run, in SQL."""

from __future__ import annotations

from functools import lru_cache

from headgate.core.events import RunState
from headgate.stores.records import Lease, Parked, RunRecord
from headgate.stores.sql.audit import recording
from headgate.stores.sql.database import Database, Statement
from headgate.stores.sql.rows import bind, run_record
from headgate.stores.sql.runs import ADVANCE, owned, telling
from headgate.stores.sql.statements import FENCED, OWNED

_FIELDS = ", ".join(RunRecord.__struct_fields__)
_TAKE = "UPDATE runs SET state = 'running', fence = fence + 1, lease_owner = :owner, lease_until = {now} + :seconds"

# The choice is made once, whatever the database thinks of the order of the work.
_CLAIM = f"""
WITH free AS MATERIALIZED (
    SELECT id FROM runs
    WHERE state = 'queued'
       OR (state = 'running' AND lease_until IS NULL)
       OR (state = 'running' AND lease_until <= {{now}} AND lease_owner <> :owner)
    ORDER BY created_at, id LIMIT :limit {{skip}}
)
{_TAKE} WHERE id IN (SELECT id FROM free) RETURNING {_FIELDS}
"""

_CLAIM_RUN = f"""
{_TAKE}
WHERE id = :id AND (
    state IN ('queued', 'waiting')
    OR (state = 'running' AND (lease_until IS NULL OR lease_until <= {{now}} OR lease_owner = :owner))
)
RETURNING {_FIELDS}
"""

# In the order of their ids, as everything that takes the locks of several runs.
_RENEW = """
UPDATE runs SET lease_until = {now} + :seconds
WHERE id IN (SELECT id FROM runs WHERE state = 'running' AND lease_owner = :owner ORDER BY id {lock})
"""

_RELEASE = f"UPDATE runs SET lease_owner = NULL, lease_until = NULL WHERE {OWNED}"

_RELEASE_ALL = """
UPDATE runs SET lease_owner = NULL, lease_until = NULL WHERE state = 'running' AND lease_owner IS NOT NULL
"""


class SqlWork:
    """Fulfils `WorkLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, lease: Lease, limit: int, /) -> tuple[RunRecord, ...]:
        """See `WorkLedger.claim`."""
        row = {"owner": bind(lease.owner), "seconds": lease.seconds, "limit": limit}
        rows = await self._database.change(Statement(self._database.dialect.spell(_CLAIM), (row,)))
        return tuple(sorted(map(run_record, rows), key=lambda run: (run.created_at, run.id)))

    async def claim_run(self, run_id: str, lease: Lease, /) -> RunRecord | None:
        """See `WorkLedger.claim_run`."""
        row = {"id": bind(run_id), "owner": bind(lease.owner), "seconds": lease.seconds}
        rows = await self._database.change(Statement(self._database.dialect.spell(_CLAIM_RUN), (row,)))
        return run_record(rows[0]) if rows else None

    async def renew(self, lease: Lease, /) -> int:
        """See `WorkLedger.renew`."""
        row = {"owner": bind(lease.owner), "seconds": lease.seconds}
        (renewed,) = await self._database.write(Statement(self._database.dialect.spell(_RENEW), (row,)))
        return renewed

    async def release(self, run_id: str, fence: int, /) -> None:
        """See `WorkLedger.release`."""
        await self._database.write(Statement(_RELEASE, ({"run_id": bind(run_id), "fence": fence},)))

    async def release_all(self) -> int:
        """See `WorkLedger.release_all`."""
        (released,) = await self._database.write(Statement(_RELEASE_ALL))
        return released

    async def park(self, parked: Parked, /) -> RunState:
        """See `WorkLedger.park`."""
        owner = owned(parked)
        ids = {f"wait_{i}": bind(wait) for i, wait in enumerate(parked.waits)}
        # The first statement keeps answers out: those that came before are seen by the last, and those that come later
        # find a run that waits.
        rows = await self._database.change(
            Statement(ADVANCE, (owner,), FENCED),
            *telling(owner["run_id"], parked.fence, parked.told),
            *recording(self._database.dialect, parked.told.audit),
            Statement(_parking(len(ids)), ({"run_id": owner["run_id"], "fence": parked.fence} | ids,)),
        )
        state: RunState = rows[0][0]
        return state


@lru_cache(maxsize=32)
def _parking(count: int) -> str:
    ids = ", ".join(f":wait_{i}" for i in range(count)) or "NULL"
    pending = f"SELECT count(*) FROM waits WHERE run_id = :run_id AND state = 'pending' AND id IN ({ids})"
    return f"""
    UPDATE runs SET lease_owner = NULL, lease_until = NULL,
                    state = CASE WHEN ({pending}) = {count} THEN 'waiting' ELSE 'queued' END
    WHERE {OWNED} RETURNING state
    """
