"""Which schema a database has, and which one this build needs."""

from __future__ import annotations

import pkgutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from headgate.core.errors import StoreError

HEAD = "0008"
"""The newest revision of `migrations/versions`; a test holds the two together."""

_FRESH = Path(__file__).with_name("fresh.sql")
_UPGRADE = "headgate.stores.sql.upgrade:upgrade"


def prepare(db: sqlite3.Connection) -> None:
    """Brings the database to `HEAD`; raises `StoreError` for one that is newer or that belongs to another program."""
    version = _version(db)
    if version == HEAD or (version is None and _made(db)):
        return
    version = version or _version(db)
    if version == HEAD:
        return
    if version is not None and version > HEAD:
        raise StoreError(
            f"The database has schema {version} and this build knows only up to {HEAD}: "
            "start the Headgate that wrote it, or name another database in [store] url.",
            code="store_newer",
        )
    # Resolved late on purpose: the import costs some 300 ms, and a database that is up to date never needs it.
    pkgutil.resolve_name(_UPGRADE)(db)


def _made(db: sqlite3.Connection) -> bool:
    """Makes the newest schema in a database that has no table yet, all of it or none; whether that was needed."""
    db.execute("BEGIN IMMEDIATE")
    try:
        if _tables(db):  # another process was faster, or nothing but the version's own table was ever made
            return False
        for statement in _statements(_FRESH.read_text(encoding="utf-8")):
            db.execute(statement)
        db.execute("COMMIT")
        return True
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _tables(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _version(db: sqlite3.Connection) -> str | None:
    """The revision of the database, None for one that is empty."""
    tables = _tables(db)
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StoreError("The database belongs to another program: name another one in [store] url.")
    row = db.execute("SELECT max(version_num) FROM alembic_version").fetchone()
    return str(row[0]) if row[0] is not None else None
