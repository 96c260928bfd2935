"""The audit log in SQL.

A record is chained inside the transaction of what it tells. A connection that is the only one to write remembers the
newest record, and hashes by itself. Elsewhere one statement finds the newest and hashes; where several transactions
write at once, each first reserves the anchor's row, as the last thing that it reserves.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from headgate.stores.audit import TRIMMED, AuditEntry, AuditFilter, AuditPage, AuditRecord, Ends, Link
from headgate.stores.sql.database import Database, Dialect, Row, Statement
from headgate.stores.sql.rows import Params, bind, reader

_FOUND_BY = ("at", "kind", "key", "run")
_COLUMNS = ("n", "hash", "entry", *_FOUND_BY)
_LOCK = "SELECT n FROM audit_anchor WHERE id = 1 {lock}"
# VALUES with subqueries, and no SELECT from the table itself, which SQLite would copy before it inserts.
_N = "coalesce((SELECT max(n) FROM audit), 0) + 1"
_PREV = "coalesce((SELECT hash FROM audit WHERE n = (SELECT max(n) FROM audit)), '')"
_CHAINED = f"{_PREV} || CAST(:entry AS TEXT)"
_INSERT = f"INSERT INTO audit ({', '.join(_COLUMNS)})"
_CHAINED_INSERT = f"{_INSERT} VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"
_IF_EXPIRED = "WHERE EXISTS (SELECT 1 FROM waits WHERE id = :wait_id AND state = 'expired' AND resolved_at = :at)"

# The hash that a record was chained to is that of the one before it, or of the anchor.
_BEFORE = """
coalesce((SELECT hash FROM audit AS before WHERE before.n = audit.n - 1),
         (SELECT hash FROM audit_anchor WHERE audit_anchor.n = audit.n - 1), '')
"""
_SELECT = f"SELECT {', '.join(_COLUMNS)}, {_BEFORE} FROM audit"
_CHAIN = f"{_SELECT} WHERE n > :after ORDER BY n LIMIT :limit"
_ANCHOR = "SELECT n, hash FROM audit_anchor WHERE id = 1"
_HEAD = "SELECT n, hash FROM audit WHERE n = (SELECT max(n) FROM audit)"
_SPAN = "SELECT (SELECT min(n) FROM audit), (SELECT max(n) FROM audit)"
_TIMES = "SELECT created_at, ended_at FROM runs WHERE id = :run"
_AT = "SELECT at FROM audit WHERE n >= :n ORDER BY n LIMIT 1"

_OLDEST = "SELECT n, at, hash FROM audit WHERE n < (SELECT max(n) FROM audit) ORDER BY n LIMIT :limit"
_TRIM = "DELETE FROM audit WHERE n <= :n"
_MOVE_ANCHOR = "UPDATE audit_anchor SET n = :n, hash = :hash WHERE id = 1 AND n < :n"

_WINDOW = 10_000
"""Records that one page looks through at most, so that who looks for what is seldom holds up no commit."""
_SLACK = 1_000
"""Records stand in the order in which they were kept, which is about that of their times."""

_entry = reader(msgspec.json.Decoder(AuditEntry).decode)


def recording(dialect: Dialect, entries: Sequence[AuditEntry]) -> list[Statement]:
    """What ends a transaction that the audit log tells of."""
    rows = tuple(map(_row, entries))
    if dialect.chains:
        return [Statement(_CHAINED_INSERT, rows, chained=True)] if rows else []
    return _appending(dialect, _append(dialect.digest), rows)


def recording_expiry(dialect: Dialect, entries: Mapping[str, AuditEntry]) -> list[Statement]:
    """The same for waits, by their ids, that the transaction lets expire unless they are settled already."""
    rows = tuple(_row(entry) | {"wait_id": wait} for wait, entry in entries.items())
    return _appending(dialect, _append_expired(dialect.digest), rows)


def _appending(dialect: Dialect, append: str, rows: tuple[Params, ...]) -> list[Statement]:
    if not rows:
        return []
    locked = [Statement(dialect.spell(_LOCK))] if dialect.lock else []
    return [*locked, Statement(append, rows)]


@lru_cache(maxsize=4)
def _append(digest: str) -> str:
    return f"{_INSERT} VALUES ({_values(digest)})"


@lru_cache(maxsize=4)
def _append_expired(digest: str) -> str:
    return f"{_INSERT} SELECT {_values(digest)} {_IF_EXPIRED}"


def _values(digest: str) -> str:
    return f"{_N}, {digest % _CHAINED}, :entry, {', '.join(f':{name}' for name in _FOUND_BY)}"


def _row(entry: AuditEntry) -> Params:
    return {"entry": bind(entry), "at": entry.at, "kind": entry.kind, "key": bind(entry.key), "run": bind(entry.run)}


def audit_record(row: Row) -> AuditRecord:
    """A record from its columns and the hash before it."""
    n, hashed, text, *found_by, prev = row
    entry = _entry(text)
    whole = found_by == [entry.at, entry.kind, entry.key, entry.run]
    return AuditRecord(n=n, entry=entry, text=text, prev=prev, hash=hashed, whole=whole)


class SqlAudit:
    """Fulfils `RecordsLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append_audit(self, entries: Sequence[AuditEntry], /) -> None:
        """See `RecordsLedger.append_audit`."""
        if entries:
            await self._database.write(*recording(self._database.dialect, entries))

    async def audit(self, wanted: AuditFilter, /) -> AuditPage:
        """See `RecordsLedger.audit`."""
        first, last = await self._span(wanted)
        top = last + 1 if wanted.before is None else min(wanted.before, last + 1)
        low = max(first, top - _WINDOW)
        params = {name: bind(value) for name in ("kind", "key", "run") if (value := getattr(wanted, name)) is not None}
        terms = ["n < :top", "n >= :low", *(f"{name} = :{name}" for name in params), *_between(wanted)]
        times = {name: at for name in ("since", "until") if (at := getattr(wanted, name)) is not None}
        sql = f"{_SELECT} WHERE {' AND '.join(terms)} ORDER BY n DESC LIMIT :limit"
        rows = await self._database.read(sql, top=top, low=low, limit=wanted.limit, **params, **times)
        full = len(rows) == wanted.limit
        following = rows[-1][0] if full else low
        return AuditPage(tuple(map(audit_record, rows)), following if following > first else None)

    async def audit_chain(self, after: int, limit: int, /) -> tuple[AuditRecord, ...]:
        """See `RecordsLedger.audit_chain`."""
        return tuple(map(audit_record, await self._database.read(_CHAIN, after=after, limit=limit)))

    async def audit_place(self, at: float, /) -> int:
        """See `RecordsLedger.audit_place`."""
        first, last = (await self._database.read(_SPAN))[0]
        return max(0, await self._first_since(at, first, last) - _SLACK - 1) if first is not None else 0

    async def audit_ends(self) -> Ends:
        """See `RecordsLedger.audit_ends`."""
        anchor, head = await self._database.view(Statement(_ANCHOR), Statement(_HEAD))
        start = Link(*anchor[0]) if anchor else Link()
        return Ends(start, Link(*head[0]) if head else start)

    async def _span(self, wanted: AuditFilter) -> tuple[int, int]:
        """The numbers among which all that fits is; looked for, since neither times nor runs have an index."""
        first, last = (await self._database.read(_SPAN))[0]
        if first is None:
            return 1, 0
        since, until = wanted.since, wanted.until
        if wanted.run is not None:
            began, ended = await self._times(wanted.run)
            since, until = since or began, until or ended
        low = first if since is None else max(first, await self._first_since(since, first, last) - _SLACK)
        high = last if until is None else min(last, await self._first_since(until, first, last) + _SLACK)
        return low, high

    async def _times(self, run: str) -> tuple[float | None, float | None]:
        """When a run began and ended; not known of one that is gone."""
        rows = await self._database.read(_TIMES, run=bind(run))
        return (rows[0][0], rows[0][1]) if rows else (None, None)

    async def _first_since(self, at: float, low: int, high: int) -> int:
        """The number of about the first record since then; one more than the last when there is none."""
        while low <= high:
            middle = (low + high) // 2
            rows = await self._database.read(_AT, n=middle)
            if rows and rows[0][0] < at:
                low = middle + 1
            else:
                high = middle - 1
        return low

    async def _trim(self, before: float | None, limit: int) -> tuple[int, bool]:
        """How many of the oldest records were deleted, and whether there may be more; the anchor remembers the last."""
        if before is None:
            return 0, False
        old: list[Row] = []
        for row in await self._database.read(_OLDEST, limit=limit):
            if row[1] >= before:
                break
            old.append(row)
        if not old:
            return 0, False
        n, _, last = old[-1]
        told = AuditEntry(at=time.time(), kind=TRIMMED, details={"records": len(old), "last": n, "hash": last})
        await self._database.write(
            Statement(_MOVE_ANCHOR, ({"n": n, "hash": last},)),
            Statement(_TRIM, ({"n": n},)),
            *recording(self._database.dialect, (told,)),
        )
        return len(old), len(old) == limit


def _between(wanted: AuditFilter) -> list[str]:
    return [
        *(["at >= :since"] if wanted.since is not None else []),
        *(["at < :until"] if wanted.until is not None else []),
    ]
