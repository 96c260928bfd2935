"""What SQLite's errors mean, in plain sentences."""

from __future__ import annotations

import sqlite3

from headgate.core.errors import StoreError

FAULTS = (sqlite3.Error, OverflowError, UnicodeError)
"""All that the driver raises: its own errors, and those for a number or a text that SQLite cannot hold."""

_LOCKED = ("store_locked", "Another program keeps the ledger's database locked.")
_READONLY = (
    "store_readonly",
    "The ledger's database cannot be written: check the rights of the file and its directory.",
)
_FOREIGN = ("store_error", "The ledger's file is damaged, or it is not an SQLite database.")
_PASSING = frozenset({"store_locked", "store_full"})
_MEANINGS = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: ("store_full", "The disk or the database of the ledger is full."),
    sqlite3.SQLITE_READONLY: _READONLY,
    sqlite3.SQLITE_CANTOPEN: _READONLY,
    sqlite3.SQLITE_PERM: _READONLY,
    sqlite3.SQLITE_CONSTRAINT: (
        "store_conflict",
        "The ledger refused a row that it already has, or that refers to one it does not have.",
    ),
    sqlite3.SQLITE_CORRUPT: _FOREIGN,
    sqlite3.SQLITE_NOTADB: _FOREIGN,
}


def as_store_error(error: Exception) -> StoreError:
    """The `StoreError` for what the driver raised; a `StoreError` stays as it is."""
    if isinstance(error, StoreError):
        return error
    # The low byte is the primary result code (sqlite.org/rescode.html); errors of the driver itself have none.
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    code, message = _MEANINGS.get(primary, ("store_error", f"The ledger's database failed: {error}."))
    found = StoreError(message, code=code, retryable=code in _PASSING)
    found.__cause__ = error
    return found
