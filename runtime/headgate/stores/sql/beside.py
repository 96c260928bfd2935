"""Reads the audit log and the usage of a SQLite ledger beside the gateway that works on it; nothing is locked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from headgate.core.errors import StoreError
from headgate.stores.sql.audit import SqlAudit
from headgate.stores.sql.database import Dialect, Row, Statement
from headgate.stores.sql.facts import read_facts
from headgate.stores.sql.faults import FAULTS, as_store_error
from headgate.stores.sql.usage import SqlUsage

_SINCE = "0003"
_READ_ONLY = StoreError("The ledger was opened to be read only.", code="store_readonly")


class Books(SqlAudit, SqlUsage):
    """The part of a ledger that can be read beside its gateway."""


@contextmanager
def open_books(path: Path) -> Iterator[Books]:
    """The books of the ledger at the path; raises `StoreError` for a file that is not there, or is no ledger, or one
    of a release that kept none."""
    schema = read_facts(path).schema
    if schema < _SINCE:
        reason = f"The ledger has schema {schema}, which keeps neither audit log nor usage: run headgate db upgrade."
        raise StoreError(reason, code="store_older")
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)) as db:
        yield Books(_Reader(db))


class _Reader:
    """A `Database` that only reads, in the calling thread."""

    dialect = Dialect(now="0", digest="%s")

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    async def read(self, sql: str, **params: Any) -> list[Row]:
        """See `Database.read`."""
        (rows,) = await self.view(Statement(sql, (params,)))
        return rows

    async def view(self, *queries: Statement) -> list[list[Row]]:
        """See `Database.view`."""
        try:
            self._db.execute("BEGIN")
            found = [self._db.execute(query.sql, query.rows[0]).fetchall() for query in queries]
            self._db.execute("COMMIT")
        except FAULTS as error:
            raise as_store_error(error) from error
        return found

    async def write(self, *_statements: Statement) -> tuple[int, ...]:
        """Refused."""
        raise _READ_ONLY

    async def change(self, *_statements: Statement) -> list[Row]:
        """Refused."""
        raise _READ_ONLY

    async def size(self) -> int:
        """Refused."""
        raise _READ_ONLY

    async def backup(self, _path: Path) -> None:
        """Refused."""
        raise _READ_ONLY

    async def close(self) -> None:
        """See `Database.close`."""
