"""What a SQLite ledger holds, read beside whoever works on it: nothing is locked, and its schema stays as it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from headgate.core.errors import StoreError
from headgate.stores.sql.copying import length
from headgate.stores.sql.faults import as_store_error

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_SCHEMA = "SELECT max(version_num) FROM alembic_version"
_SESSIONS = "SELECT count(*) FROM sessions"
_RUNS = "SELECT state, count(*) FROM runs GROUP BY state ORDER BY state"
_WAITS = "SELECT count(*) FROM waits WHERE state = 'pending'"


@dataclass(frozen=True, slots=True)
class Facts:
    """The schema's revision, bytes on disk, and how much there is: runs by state, and waits that are pending."""

    schema: str
    size: int
    sessions: int
    runs: dict[str, int] = field(default_factory=dict)
    waits: int = 0


def read_facts(path: Path) -> Facts:
    """The facts, all of one moment; raises `StoreError` for a file that is not there or is no ledger."""
    if not path.is_file():
        raise StoreError(f"There is no ledger at {path}.", code="store_missing")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)) as db:
            db.execute("BEGIN")
            return _facts(db, path)
    except sqlite3.Error as error:
        raise as_store_error(error) from error


def _facts(db: sqlite3.Connection, path: Path) -> Facts:
    tables = {name for (name,) in db.execute(_TABLES)}
    if "alembic_version" not in tables:
        raise StoreError(f"{path} is not a ledger.", code="store_foreign")
    return Facts(
        schema=str(_count(db, _SCHEMA)),
        size=length(path),
        sessions=int(_count(db, _SESSIONS)),
        runs=dict(db.execute(_RUNS).fetchall()),
        waits=int(_count(db, _WAITS)) if "waits" in tables else 0,
    )


def _count(db: sqlite3.Connection, sql: str) -> str | int:
    value: str | int = db.execute(sql).fetchone()[0]
    return value
