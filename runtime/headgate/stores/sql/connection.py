"""Opens a SQLite file the way the ledger needs it."""

from __future__ import annotations

import os
import sqlite3
from hashlib import sha256
from pathlib import Path

from headgate.core.errors import StoreError
from headgate.stores.sql.schema import prepare

_PRAGMAS = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    # In WAL mode a commit survives the end of the process; a loss of power may take the newest ones, never a part.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
)


def connect(path: Path | None) -> sqlite3.Connection:
    """A connection to the file, made with its directories if it is missing and private to the user; None is memory.

    Transactions are the caller's to begin. Raises `StoreError` and `sqlite3.Error`.
    """
    if path is not None:
        try:
            _make(path)
        except OSError as error:
            reason = f"The ledger cannot open {error.filename}: {error.strerror}."
            raise StoreError(reason, code="store_readonly") from error
    return sqlite3.connect(path or ":memory:", isolation_level=None, cached_statements=256)


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
