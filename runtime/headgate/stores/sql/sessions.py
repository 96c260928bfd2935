"""The ledger's conversations in SQL."""

from __future__ import annotations

from headgate.core.errors import StoreError
from headgate.stores.records import Exchange, SessionFilter, SessionRecord, SessionSummary
from headgate.stores.sql.database import Database, Guard, Statement
from headgate.stores.sql.rows import Params, bind, columns, exchanges, session_record
from headgate.stores.sql.statements import insert, listing, select

_FIELDS = SessionRecord.__struct_fields__
_INSERT = insert("sessions", _FIELDS)
_SELECT = select("sessions", _FIELDS) + " WHERE id = :id"
_HOLD = "UPDATE sessions SET state = state WHERE id = :id"
_HOLD_HEAD = "UPDATE runs SET fence = fence WHERE id = :id"

_LIST = f"""
SELECT {", ".join(_FIELDS)},
       (SELECT count(*) FROM runs WHERE runs.session_id = sessions.id),
       (SELECT count(*) FROM runs JOIN messages ON messages.run_id = runs.id WHERE runs.session_id = sessions.id)
FROM sessions"""

_COUNT = "SELECT count(*) FROM sessions WHERE principal = :principal AND expires_at > :now AND state = 'open'"

_SWEEP = """
DELETE FROM sessions
WHERE expires_at <= :now AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.session_id = sessions.id)
"""

_CLOSE = "UPDATE sessions SET state = 'closed' WHERE id = :id AND state = 'open'"

_CLOSE_IDLE = """
UPDATE sessions SET state = 'closed'
WHERE id = :id AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.session_id = sessions.id AND runs.ended_at IS NULL)
"""

# Runs that a fork stood on when their own session was deleted belong to no session. Whatever stands on them last takes
# them along.
_ADOPT = """
WITH RECURSIVE chain (id) AS (
    SELECT prior_run FROM runs WHERE session_id = :id AND prior_run IS NOT NULL
    UNION
    SELECT head_run FROM sessions WHERE id = :id AND head_run IS NOT NULL
    UNION
    SELECT runs.prior_run FROM chain JOIN runs ON runs.id = chain.id WHERE runs.prior_run IS NOT NULL
)
UPDATE runs SET session_id = :id
WHERE id IN (SELECT id FROM chain) AND coalesce(session_id, '') = '' AND ended_at IS NOT NULL
"""

_SPARE = """
WITH RECURSIVE spared (id) AS (
    SELECT mine.id FROM runs AS mine
    WHERE mine.session_id = :id AND (
        EXISTS (SELECT 1 FROM runs AS other
                WHERE other.prior_run = mine.id AND (other.session_id IS NULL OR other.session_id <> :id))
        OR EXISTS (SELECT 1 FROM sessions WHERE sessions.head_run = mine.id AND sessions.id <> :id)
    )
    UNION
    SELECT runs.prior_run FROM spared JOIN runs ON runs.id = spared.id WHERE runs.prior_run IS NOT NULL
)
UPDATE runs SET session_id = NULL WHERE session_id = :id AND id IN (SELECT id FROM spared)
"""

_DELETE_RUNS = "DELETE FROM runs WHERE session_id = :id"
_DELETE = "DELETE FROM sessions WHERE id = :id"

_CHAIN = """
WITH RECURSIVE chain (id, depth) AS (
    {start}
    UNION ALL
    SELECT runs.prior_run, chain.depth + 1
    FROM chain JOIN runs ON runs.id = chain.id
    WHERE runs.prior_run IS NOT NULL
)
SELECT runs.id, runs.answer, runs.state, messages.role, messages.parts, messages.step, runs.request
FROM chain JOIN runs ON runs.id = chain.id LEFT JOIN messages ON messages.run_id = runs.id
ORDER BY chain.depth DESC, messages.n
"""
_CONVERSATION = _CHAIN.replace(
    "{start}", "SELECT head_run, 0 FROM sessions WHERE id = :session_id AND head_run IS NOT NULL"
)
LEADING_TO_RUN = _CHAIN.replace("{start}", "SELECT id, 0 FROM runs WHERE id = :id")
"""The exchanges that lead to a run, itself included; read with `exchanges`."""

_MISSING = Guard("missing", "There is no such session.")
_NO_HEAD = Guard("store_conflict", "The run that the session would begin at does not exist.")
_BUSY = Guard("store_conflict", "A run of the session has not ended.")


class SqlSessions:
    """Fulfils `SessionLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_session(self, session: SessionRecord, /) -> None:
        """See `SessionLedger.create_session`."""
        work = [Statement(_INSERT, (columns(session),))]
        if session.head_run is not None:
            # The session that it is forked from must not be deleted at the same time.
            work.insert(0, Statement(_HOLD_HEAD, ({"id": bind(session.head_run)},), _NO_HEAD))
            work.insert(0, Statement(_HOLD, ({"id": bind(session.parent or "")},)))
        await self._database.write(*work)

    async def session(self, session_id: str, /) -> SessionRecord | None:
        """See `SessionLedger.session`."""
        rows = await self._database.read(_SELECT, id=bind(session_id))
        return session_record(rows[0]) if rows else None

    async def sessions(self, wanted: SessionFilter, /) -> tuple[SessionSummary, ...]:
        """See `SessionLedger.sessions`."""
        sql, params = listing(_LIST, wanted, ("principal", "agent", "state"))
        rows = await self._database.read(sql, **params)
        return tuple(SessionSummary(session_record(row[:-2]), row[-2], row[-1]) for row in rows)

    async def count_sessions(self, principal: str, now: float, /) -> int:
        """See `SessionLedger.count_sessions`."""
        rows = await self._database.read(_COUNT, principal=bind(principal), now=now)
        return int(rows[0][0])

    async def sweep_sessions(self, now: float, /) -> int:
        """See `SessionLedger.sweep_sessions`."""
        (swept,) = await self._database.write(Statement(_SWEEP, ({"now": now},)))
        return swept

    async def close_session(self, session_id: str, /) -> bool:
        """See `SessionLedger.close_session`."""
        (closed,) = await self._database.write(Statement(_CLOSE, ({"id": bind(session_id)},)))
        return closed == 1

    async def delete_session(self, session_id: str, /) -> bool:
        """See `SessionLedger.delete_session`."""
        row = {"id": bind(session_id)}
        try:
            await self._database.write(Statement(_HOLD, (row,), _MISSING), *deletion(row))
        except StoreError as error:
            if error.code == _MISSING.code:
                return False
            raise
        return True

    async def conversation(self, session_id: str, /) -> tuple[Exchange, ...]:
        """See `SessionLedger.conversation`."""
        return exchanges(await self._database.read(_CONVERSATION, session_id=bind(session_id)))


def deletion(row: Params) -> tuple[Statement, ...]:
    """What deletes the session whose `id` the row has, with the runs that nothing else stands on."""
    closing = Statement(_CLOSE_IDLE, (row,), _BUSY)
    return closing, *(Statement(sql, (row,)) for sql in (_ADOPT, _SPARE, _DELETE_RUNS, _DELETE))
