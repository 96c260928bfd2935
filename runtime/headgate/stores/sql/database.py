"""The seam between the ledger's statements and the database that runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import msgspec

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What databases spell differently: each field stands in statements as its name in braces.

    `now` is the database's own clock, in epoch seconds; `digest` is the SHA-256 of a text, `%s`, in hexadecimal. The
    others end a SELECT: `share` keeps its rows as they are until the transaction ends, `lock` reserves them as well,
    `skip` passes over those that somebody else has reserved. They are empty where one transaction writes at a time.
    `chains` says that the connection itself finds the place of what is chained.
    """

    now: str
    digest: str
    share: str = ""
    lock: str = ""
    skip: str = ""
    chains: bool = False

    def spell(self, sql: str) -> str:
        """The statement as the database takes it."""
        return _spell(self, sql)


@lru_cache(maxsize=256)
def _spell(dialect: Dialect, sql: str) -> str:
    for name in ("now", "share", "lock", "skip"):
        sql = sql.replace(f"{{{name}}}", getattr(dialect, name))
    return sql


@dataclass(frozen=True, slots=True)
class Guard:
    """What is wrong when a statement changes no row: the transaction fails with this code and message."""

    code: str
    message: str


class Statement(msgspec.Struct, frozen=True):
    """One SQL statement with `:name` parameters, run once for each mapping of `rows`.

    A guarded statement has exactly one mapping, and so has one whose rows are wanted. One that is `chained` adds to the
    audit log, and its mappings lack the place in the chain, `n` and `hash`.
    """

    sql: str
    rows: tuple[Mapping[str, Any], ...] = ({},)
    guard: Guard | None = None
    chained: bool = False


class Database(Protocol):
    """A database that runs transactions; all methods raise `StoreError`."""

    dialect: Dialect

    async def write(self, *statements: Statement) -> tuple[int, ...]:
        """Runs the statements in one transaction, all or none; returns how many rows each of them changed."""
        ...

    async def change(self, *statements: Statement) -> list[Row]:
        """The same; returns the rows of the last one, which is a query or says RETURNING."""
        ...

    async def read(self, sql: str, **params: Any) -> list[Row]:
        """The rows of one query, which sees everything that was committed before it was asked."""
        ...

    async def view(self, *queries: Statement) -> list[list[Row]]:
        """The rows of each query, all as they were at one moment."""
        ...

    async def size(self) -> int:
        """See `Ledger.size`."""
        ...

    async def backup(self, path: Path) -> None:
        """See `Ledger.backup`."""
        ...

    async def close(self) -> None:
        """Finishes what was asked before and disconnects; closing again does nothing."""
        ...
