"""Group commit on one SQLite connection: jobs that wait together share a transaction, but not each other's failures."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from headgate.core.errors import StoreError
from headgate.stores.sql.connection import Connection
from headgate.stores.sql.database import Guard, Row, Statement
from headgate.stores.sql.faults import FAULTS, as_store_error

Kind = Literal["write", "change", "read", "view"]


@dataclass(slots=True, eq=False)
class Job:
    """A transaction to run and the future that waits for it; one of `result` and `error` is set when it is done.

    The kind is the method of `Database` that was called, and says what the result is.
    """

    kind: Kind
    statements: tuple[Statement, ...]
    future: asyncio.Future[Any]
    result: Any = None
    error: StoreError | None = None


def run(db: Connection, jobs: Iterable[Job]) -> None:
    """Runs the jobs, the writing ones first in one transaction; fills in the result or the error of each.

    A query may then see what was asked after it. It never sees what is not committed, nor fails with a write.
    """
    queries: list[Job] = []
    writes: list[Job] = []
    for job in jobs:
        (writes if job.kind in ("write", "change") else queries).append(job)
    if len(writes) > 1:
        _write_together(db, writes)
    elif writes:
        _write(db, writes[0])
    for job in queries:
        _query(db, job)


def _query(db: Connection, job: Job) -> None:
    try:
        if job.kind == "read":
            job.result = _rows(db, job.statements[0])
        else:
            db.execute("BEGIN")
            job.result = [_rows(db, statement) for statement in job.statements]
            db.execute("COMMIT")
    except FAULTS as error:
        _abort(db)
        job.error = as_store_error(error)


def _write(db: Connection, job: Job) -> None:
    try:
        db.execute("BEGIN IMMEDIATE")
        job.result = _apply(db, job)
        db.execute("COMMIT")
    except (StoreError, *FAULTS) as error:
        _abort(db)
        job.error = as_store_error(error)


def _write_together(db: Connection, jobs: Sequence[Job]) -> None:
    try:
        db.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        for job in jobs:
            job.error = as_store_error(error)
        return
    try:
        for job in jobs:
            _write_inside(db, job)
        db.execute("COMMIT")
    except sqlite3.Error:
        # A full disk may end the whole transaction (sqlite.org/lang_transaction.html, §3): by itself, a job that
        # still fits is kept.
        _abort(db)
        for job in jobs:
            job.result = job.error = None
            _write(db, job)


def _write_inside(db: Connection, job: Job) -> None:
    db.execute("SAVEPOINT job")
    try:
        job.result = _apply(db, job)
    except (StoreError, *FAULTS) as error:
        job.error = as_store_error(error)
        db.execute("ROLLBACK TO job")
        db.head = None
    db.execute("RELEASE job")


def _apply(db: Connection, job: Job) -> tuple[int, ...] | list[Row]:
    if job.kind == "write":
        return tuple(_execute(db, statement) for statement in job.statements)
    *before, last = job.statements
    for statement in before:
        _execute(db, statement)
    rows = _rows(db, last)
    _check(last.guard, len(rows))
    return rows


def _execute(db: Connection, statement: Statement) -> int:
    if statement.chained:
        changed = db.chain(statement.sql, statement.rows)
    elif len(statement.rows) == 1:
        changed = db.execute(statement.sql, statement.rows[0]).rowcount
    else:
        changed = db.executemany(statement.sql, statement.rows).rowcount
    _check(statement.guard, changed)
    return changed


def _rows(db: Connection, statement: Statement) -> list[Row]:
    return db.execute(statement.sql, statement.rows[0]).fetchall()


def _check(guard: Guard | None, changed: int) -> None:
    if guard is not None and changed == 0:
        raise StoreError(guard.message, code=guard.code)


def _abort(db: Connection) -> None:
    db.head = None
    if db.in_transaction:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
