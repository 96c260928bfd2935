"""Opens a SQLite file the way the ledger needs it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from headgate.core.errors import StoreError
from headgate.stores.audit import hash_of
from headgate.stores.sql.schema import prepare

_PRAGMAS = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    # In WAL mode a commit survives the end of the process; a loss of power may take the newest ones, never a part.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
)


class Connection(sqlite3.Connection):
    """A connection that knows where the chain of the audit log ends: `head` is the newest number and hash, None when
    that has to be looked up, as after everything that was rolled back."""

    head: tuple[int, str] | None = None

    def chain(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Runs the statement for each row, behind the head; raises `sqlite3.Error`."""
        added = 0
        for row in rows:
            try:
                self._add(sql, row, self.head or self._newest())
            except sqlite3.IntegrityError:  # somebody else has added to the log: the number is taken
                self._add(sql, row, self._newest())
            added += 1
        return added

    def _add(self, sql: str, row: Mapping[str, Any], head: tuple[int, str]) -> None:
        n, hashed = head[0] + 1, hash_of(head[1], row["entry"])
        self.execute(sql, {**row, "n": n, "hash": hashed})
        self.head = (n, hashed)

    def _newest(self) -> tuple[int, str]:
        found = self.execute("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1").fetchone()
        return (found[0], found[1]) if found else (0, "")


def connect(path: Path | None) -> Connection:
    """A connection to the file, made with its directories if it is missing and private to the user; None is memory.

    Transactions are the caller's to begin. Raises `StoreError` and `sqlite3.Error`.
    """
    if path is not None:
        try:
            _make(path)
        except OSError as error:
            reason = f"The ledger cannot open {error.filename}: {error.strerror}."
            raise StoreError(reason, code="store_readonly") from error
    return sqlite3.connect(path or ":memory:", isolation_level=None, cached_statements=256, factory=Connection)


def configure(db: sqlite3.Connection) -> None:
    """Sets the connection up and brings the schema to this build's; raises `StoreError` and `sqlite3.Error`."""
    for pragma in _PRAGMAS:
        db.execute(pragma)
    db.create_function("sha256", 1, _digest, deterministic=True)
    prepare(db)


def _digest(text: str) -> str:
    """The hash of a record of the audit log, which SQLite cannot make by itself."""
    return sha256(text.encode()).hexdigest()


def _make(path: Path) -> None:
    # `mkdir(parents=True)` gives its mode only to the last directory.
    for directory in reversed(path.parents):
        if not directory.is_dir():
            directory.mkdir(mode=0o700, exist_ok=True)
    # SQLite gives the files beside it the mode of the database.
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT, 0o600))
