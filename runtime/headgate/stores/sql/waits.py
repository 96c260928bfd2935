"""What runs wait for, in SQL.

Whoever settles a wait reserves its run first, as `SqlWork.park` does: whichever of the two comes second sees what the
first has done.
"""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.errors import StoreError
from headgate.stores.audit import AuditEntry
from headgate.stores.sql.audit import recording, recording_expiry
from headgate.stores.sql.database import Database, Guard, Statement
from headgate.stores.sql.rows import Params, bind, columns, grant_record, wait_record
from headgate.stores.sql.runs import DROP_INTENT, telling
from headgate.stores.sql.statements import held, insert, listing, select
from headgate.stores.waits import Answer, Grant, Opened, WaitFilter, WaitRecord

_FIELDS = WaitRecord.__struct_fields__
_INSERT = insert("waits", _FIELDS)
_SELECT = select("waits", _FIELDS) + " WHERE id = :id"
_COUNT = "SELECT count(*) FROM waits WHERE state = 'pending'"

# The names are a JSON list: a name in its quotes stands in no other place. Not LIKE, which SQLite does not take
# literally: it ignores case.
_VISIBLE = """
(principal = :key OR replace(replace(approvers, :key_name, ''), :team_name, '') <> approvers)
"""

_HOLD_RUN = "UPDATE runs SET fence = fence WHERE id = (SELECT run_id FROM waits WHERE id = :id)"

_SETTLE = """
UPDATE waits SET state = :state, votes = :votes, result = :result, resolved_at = :resolved_at, revision = revision + 1
WHERE id = :id AND state = 'pending' AND expires_at > :at AND revision = coalesce(:revision, revision)
"""

_EXPIRE = """
UPDATE waits SET state = 'expired', resolved_at = :at, revision = revision + 1
WHERE id = :id AND state = 'pending' AND expires_at <= :at
"""

_QUEUE_RUN = """
UPDATE runs SET state = 'queued' WHERE id = (SELECT run_id FROM waits WHERE id = :id) AND state = 'waiting'
"""

_EXPIRED = f"{select('waits', _FIELDS)} WHERE state = 'pending' AND expires_at <= :now ORDER BY expires_at LIMIT :limit"
_NEXT = "SELECT min(expires_at) FROM waits WHERE state = 'pending'"

_GRANT = f"""
{insert("grants", Grant.__struct_fields__)}
ON CONFLICT (session_id, policy, tool, qualifier) DO UPDATE SET granted_by = :granted_by, granted_at = :granted_at
"""
_GRANTS = (
    select("grants", Grant.__struct_fields__)
    + " WHERE session_id = :session_id ORDER BY granted_at, policy, tool, qualifier"
)
_REVOKE = "DELETE FROM grants WHERE session_id = :session_id"
_REVOKE_TOOL = _REVOKE + " AND tool = :tool"

_SETTLED = Guard("settled", "The wait is settled already.")


class SqlWaits:
    """Fulfils `WaitLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_wait(self, opened: Opened, /) -> None:
        """See `WaitLedger.open_wait`."""
        row = columns(opened.wait)
        # A call that its server has interrupted is not under way any more.
        rest = [Statement(DROP_INTENT, (row,))] if opened.wait.round is not None else []
        await self._database.write(
            held(opened.wait.run_id, opened.fence),
            Statement(_INSERT, (row,)),
            *rest,
            *telling(row["run_id"], opened.fence, opened.told),
            *recording(self._database.dialect, opened.told.audit),
        )

    async def wait(self, wait_id: str, /) -> WaitRecord | None:
        """See `WaitLedger.wait`."""
        rows = await self._database.read(_SELECT, id=bind(wait_id))
        return wait_record(rows[0]) if rows else None

    async def waits(self, wanted: WaitFilter, /) -> tuple[WaitRecord, ...]:
        """See `WaitLedger.waits`."""
        names = ("run_id", "session_id", "state", "call_id", "kind")
        extra = _VISIBLE if wanted.viewer else ""
        sql, params = listing(select("waits", _FIELDS), wanted, names, extra)
        rows = await self._database.read(sql, **params, **_viewer(wanted))
        return tuple(map(wait_record, rows))

    async def count_waits(self) -> int:
        """See `WaitLedger.count_waits`."""
        return int((await self._database.read(_COUNT))[0][0])

    async def answer(self, answer: Answer, /) -> WaitRecord | None:
        """See `WaitLedger.answer`."""
        wait = {"id": bind(answer.wait_id)}
        settled = wait | {
            "state": answer.state,
            "votes": bind(answer.votes),
            "result": bind(answer.result),
            "at": answer.at,
            "resolved_at": None if answer.state == "pending" else answer.at,
            "revision": answer.revision,
        }
        grant = [Statement(_GRANT, (columns(answer.grant),))] if answer.grant else []
        queue = [Statement(_QUEUE_RUN, (wait,))] if answer.state != "pending" else []
        try:
            rows = await self._database.change(
                Statement(_HOLD_RUN, (wait,)),
                Statement(_SETTLE, (settled,), _SETTLED),
                *grant,
                *queue,
                *recording(self._database.dialect, answer.audit),
                Statement(_SELECT, (wait,)),
            )
        except StoreError as error:
            if error.code == _SETTLED.code:
                return None
            raise
        return wait_record(rows[0])

    async def expire_waits(self, now: float, limit: int, /) -> int:
        """See `WaitLedger.expire_waits`."""
        found = await self._database.read(_EXPIRED, now=now, limit=limit)
        if not found:
            return 0
        # In the order of their runs, as everything that takes the locks of several.
        waits = sorted(map(wait_record, found), key=lambda wait: (wait.run_id, wait.id))
        ids = tuple({"id": wait.id} for wait in waits)
        _, expired, *_ = await self._database.write(
            Statement(_HOLD_RUN, ids),
            Statement(_EXPIRE, tuple(row | {"at": now} for row in ids)),
            Statement(_QUEUE_RUN, ids),
            *recording_expiry(self._database.dialect, {wait.id: _expiry(wait, now) for wait in waits}),
        )
        return expired

    async def next_expiry(self) -> float | None:
        """See `WaitLedger.next_expiry`."""
        found: float | None = (await self._database.read(_NEXT))[0][0]
        return found

    async def grants(self, session_id: str, /) -> tuple[Grant, ...]:
        """See `WaitLedger.grants`."""
        return tuple(map(grant_record, await self._database.read(_GRANTS, session_id=bind(session_id))))

    async def revoke_grants(self, session_id: str, tool: str | None = None, audit: Sequence[AuditEntry] = (), /) -> int:
        """See `WaitLedger.revoke_grants`."""
        row = {"session_id": bind(session_id)}
        revoke = Statement(_REVOKE, (row,)) if tool is None else Statement(_REVOKE_TOOL, (row | {"tool": bind(tool)},))
        revoked, *_ = await self._database.write(revoke, *recording(self._database.dialect, audit))
        return revoked


def _expiry(wait: WaitRecord, at: float) -> AuditEntry:
    return AuditEntry(
        at=at, kind=f"{wait.kind}.expired", agent=wait.agent, session=wait.session_id, run=wait.run_id,
        call=wait.call_id, tool=wait.tool, policy=wait.policy, outcome="expired", details={"wait": wait.id},
    )  # fmt: skip


def _viewer(wanted: WaitFilter) -> Params:
    if wanted.viewer is None:
        return {}
    key, team = wanted.viewer
    return {"key": bind(key), "key_name": f"{bind([key])}"[1:-1], "team_name": f"{bind([team])}"[1:-1]}
