"""SQLite in a thread of its own: the event loop never waits for the disk, and waiting jobs commit together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from headgate.core.errors import StoreError
from headgate.stores.sql import batch
from headgate.stores.sql.batch import Job, Kind
from headgate.stores.sql.connection import Connection, configure, connect
from headgate.stores.sql.copying import copy, length, new_file
from headgate.stores.sql.database import Dialect, Row, Statement
from headgate.stores.sql.faults import FAULTS, as_store_error

_TOGETHER = 256
"""Jobs in one transaction at most, so that the first of a flood does not wait for the last."""
_DIALECT = Dialect(now="((julianday('now') - 2440587.5) * 86400.0)", digest="sha256(%s)", chains=True)


@asynccontextmanager
async def open_sqlite(path: Path | None) -> AsyncIterator[Sqlite]:
    """Opens the database file, made if it is missing and migrated; None is a new database in memory.

    Raises `StoreError`.
    """
    database = Sqlite(path)
    try:
        await database.opened()
        yield database
    finally:
        await database.close()


class Sqlite:
    """A `Database` on one SQLite file; made and used on one event loop."""

    dialect = _DIALECT

    def __init__(self, path: Path | None) -> None:
        """Starts the thread, which opens the database; `opened` says how that went."""
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._closed = False
        # A daemon: a caller who never closes must not keep the process from ending, and SQLite survives that.
        threading.Thread(target=self._serve, args=(path,), name="ledger", daemon=True).start()

    async def opened(self) -> None:
        """Returns when the database is ready; raises `StoreError` when it cannot be."""
        await asyncio.shield(self._opened)

    async def write(self, *statements: Statement) -> tuple[int, ...]:
        """See `Database.write`."""
        result: tuple[int, ...] = await self._submit("write", statements)
        return result

    async def change(self, *statements: Statement) -> list[Row]:
        """See `Database.change`."""
        result: list[Row] = await self._submit("change", statements)
        return result

    async def read(self, sql: str, **params: Any) -> list[Row]:
        """See `Database.read`."""
        result: list[Row] = await self._submit("read", (Statement(sql, (params,)),))
        return result

    async def view(self, *queries: Statement) -> list[list[Row]]:
        """See `Database.view`."""
        result: list[list[Row]] = await self._submit("view", queries)
        return result

    async def size(self) -> int:
        """See `Database.size`."""
        return length(self._path) if self._path else 0

    async def backup(self, path: Path) -> None:
        """See `Database.backup`."""
        await self.read("SELECT 1")  # a ledger that is closed makes no copies
        with new_file(path):
            if self._path is None:
                await self.read("VACUUM INTO :path", path=str(path))
            else:
                await asyncio.to_thread(copy, self._path, path)

    async def close(self) -> None:
        """See `Database.close`."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await asyncio.shield(self._ended)

    def _submit(self, kind: Kind, statements: tuple[Statement, ...]) -> asyncio.Future[Any]:
        if self._closed:
            raise _gone()
        job = Job(kind, statements, self._loop.create_future())
        self._queue.put(job)
        return job.future

    def _end(self) -> None:
        self._closed = True
        with suppress(Empty):
            while True:
                job = self._queue.get_nowait()
                _settle([job] if job else [])
        _resolve(self._opened, _gone())
        _resolve(self._ended, None)

    # What follows runs in the thread.

    def _serve(self, path: Path | None) -> None:
        try:
            with closing(connect(path)) as db:
                configure(db)
                self._tell(_resolve, self._opened, None)
                self._work(db)
        except (StoreError, *FAULTS) as error:
            self._tell(_resolve, self._opened, as_store_error(error))
        finally:
            # Whatever ended the thread, nobody waits for it in vain.
            self._tell(self._end)

    def _work(self, db: Connection) -> None:
        while jobs := self._take():
            try:
                batch.run(db, jobs)
            finally:
                self._tell(_settle, jobs)

    def _take(self) -> list[Job]:
        """The jobs that wait, at least one; none at all when it is time to close."""
        jobs: list[Job] = []
        with suppress(Empty):
            while len(jobs) < _TOGETHER:
                job = self._queue.get(block=not jobs)
                if job is None:
                    self._queue.put(None)
                    break
                jobs.append(job)
        return jobs

    def _tell(self, callback: Callable[..., None], *args: Any) -> None:
        # The loop is gone when a program ended without closing: then there is nobody to tell.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *args)


def _settle(jobs: Iterable[Job]) -> None:
    """Wakes the tasks that wait for the jobs; those that were cancelled do not wait any more."""
    for job in jobs:
        if job.future.done():
            continue
        if job.error is None and job.result is not None:
            job.future.set_result(job.result)
        else:
            job.future.set_exception(job.error or _gone())


def _resolve(future: asyncio.Future[None], error: StoreError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _gone() -> StoreError:
    return StoreError("The ledger is closed.", code="store_closed")
