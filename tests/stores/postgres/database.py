"""A `Database` on asyncpg, to prove that the ledger's statements run on PostgreSQL.

Work is done in the order in which it is asked, on one connection: several ledgers on one database are several of these.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import asyncpg

from headgate.core.errors import StoreError
from headgate.stores.sql.database import Dialect, Guard, Row, Statement

_PARAMETER = re.compile(r":(\w+)")
_CONFLICTS = (asyncpg.UniqueViolationError, asyncpg.ForeignKeyViolationError)
_PASSING = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


@lru_cache(maxsize=512)
def numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement with `$1` for its first parameter and so on, and the names of the parameters in that order."""
    names: dict[str, int] = {}
    text = _PARAMETER.sub(lambda found: f"${names.setdefault(found[1], len(names) + 1)}", sql)
    return text, tuple(names)


@asynccontextmanager
async def open_postgres(socket: Path) -> AsyncIterator[Postgres]:
    """Connects to the server of this socket."""
    database = Postgres(await asyncpg.connect(host=str(socket), user="postgres", database="postgres"))
    try:
        yield database
    finally:
        await database.close()


class Postgres:
    """One connection."""

    dialect = Dialect(
        now="CAST(extract(epoch FROM clock_timestamp()) AS double precision)",
        digest="encode(sha256(convert_to(%s, 'UTF8')), 'hex')",
        share="FOR SHARE",
        lock="FOR UPDATE",
        skip="FOR UPDATE SKIP LOCKED",
    )

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()
        self._closed = False

    async def write(self, *statements: Statement) -> tuple[int, ...]:
        """See `Database.write`."""
        return await self._unbroken(self._write(statements))

    async def change(self, *statements: Statement) -> list[Row]:
        """See `Database.change`."""
        return await self._unbroken(self._change(statements))

    async def read(self, sql: str, **params: Any) -> list[Row]:
        """See `Database.read`."""
        (rows,) = await self._unbroken(self._view((Statement(sql, (params,)),)))
        return rows

    async def view(self, *queries: Statement) -> list[list[Row]]:
        """See `Database.view`."""
        return await self._unbroken(self._view(queries))

    async def size(self) -> int:
        """See `Database.size`."""
        return int((await self.read("SELECT pg_database_size(current_database())"))[0][0])

    async def backup(self, path: Path) -> None:
        """See `Database.backup`."""
        raise StoreError("PostgreSQL is copied with its own tools: pg_dump.", code="store_unsupported")

    async def close(self) -> None:
        """See `Database.close`."""
        self._closed = True
        # In a task, as all work is: it comes behind what was asked before.
        await asyncio.shield(asyncio.ensure_future(self._close()))

    async def _close(self) -> None:
        async with self._turn:
            await self._connection.close()

    async def _unbroken(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Carries the work out whole, also when the caller is cancelled meanwhile."""
        if self._closed:
            work.close()
            raise StoreError("The ledger is closed.", code="store_closed")
        return await asyncio.shield(asyncio.ensure_future(self._mended(work)))

    async def _mended(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            async with self._turn:
                return await work
        except _CONFLICTS as error:
            raise StoreError(str(error), code="store_conflict") from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise StoreError(str(error), code="store_locked" if isinstance(error, _PASSING) else None) from error

    async def _write(self, statements: tuple[Statement, ...]) -> tuple[int, ...]:
        async with self._connection.transaction():
            return tuple([await self._execute(statement) for statement in statements])

    async def _change(self, statements: tuple[Statement, ...]) -> list[Row]:
        async with self._connection.transaction():
            for statement in statements[:-1]:
                await self._execute(statement)
            rows = await self._rows(statements[-1])
            _check(statements[-1].guard, len(rows))
            return rows

    async def _view(self, queries: tuple[Statement, ...]) -> list[list[Row]]:
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            return [await self._rows(query) for query in queries]

    async def _execute(self, statement: Statement) -> int:
        sql, names = numbered(statement.sql)
        changed = 0
        for row in statement.rows:
            status = await self._connection.execute(sql, *_values(names, row))
            changed += int(status.rpartition(" ")[2])
        _check(statement.guard, changed)
        return changed

    async def _rows(self, query: Statement) -> list[Row]:
        sql, names = numbered(query.sql)
        return [tuple(row) for row in await self._connection.fetch(sql, *_values(names, query.rows[0]))]


def _values(names: tuple[str, ...], row: Mapping[str, Any]) -> list[Any]:
    return [row[name] for name in names]


def _check(guard: Guard | None, changed: int) -> None:
    if guard is not None and changed == 0:
        raise StoreError(guard.message, code=guard.code)
