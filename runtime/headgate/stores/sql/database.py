"""The seam between the ledger's statements and the database that runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Guard:
    """What is wrong when a statement changes no row: the transaction fails with this code and message."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement with `:name` parameters, run once for each mapping of `rows`.

    A guarded statement has exactly one mapping.
    """

    sql: str
    rows: tuple[Mapping[str, Any], ...]
    guard: Guard | None = None


class Database(Protocol):
    """A database that runs transactions; both methods raise `StoreError`."""

    async def write(self, *statements: Statement) -> tuple[int, ...]:
        """Runs the statements in one transaction, all or none; returns how many rows each of them changed."""
        ...

    async def read(self, sql: str, **params: Any) -> list[Row]:
        """The rows of one query, which sees everything that was committed before it was asked."""
        ...

    async def close(self) -> None:
        """Finishes what was asked before and disconnects; closing again does nothing."""
        ...
