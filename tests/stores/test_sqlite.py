"""The ledger on SQLite: the contract, and what only SQLite does."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import asynccontextmanager, closing

import pytest

from headgate.core.errors import StoreError
from headgate.stores import open_ledger
from headgate.stores.records import Produced
from headgate.stores.sql.database import Statement
from headgate.stores.sql.ledger import SqlLedger
from headgate.stores.sql.sqlite import open_sqlite
from headgate.stores.told import Told
from headgate.testing.ledger_kit import CONTRACTS, TWICE
from headgate.testing.ledger_samples import LEASE, a_commit, a_run, answered

WRITER = """
import asyncio, pathlib, sys

from headgate.stores import open_ledger
from headgate.stores.records import Produced
from headgate.stores.told import Told
from headgate.testing.ledger_samples import LEASE, a_commit, a_run, answered

async def main():
    async with open_ledger("sqlite:///state.db", pathlib.Path(sys.argv[1])) as ledger:
        await ledger.create_run(a_run(id=sys.argv[2]), LEASE, Told())
        n = 0
        while True:
            n += 1
            pair = (Produced(answered("x" * 5000), n), Produced(answered("y" * 5000), n))
            await ledger.commit_step(a_commit(sys.argv[2], n, messages=pair))
            print(n, flush=True)

asyncio.run(main())
"""


@asynccontextmanager
async def opened(root, *pragmas):
    """A ledger and its database, with these settings of the connection."""
    async with open_sqlite(root / "state.db") as database:
        for pragma in pragmas:
            await database.read(f"PRAGMA {pragma}")
        yield SqlLedger(database), database


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
async def test_contract(contract, tmp_path):
    """The back-end keeps every promise of the port."""
    await contract(lambda: open_ledger("sqlite:///state.db", tmp_path))


@pytest.mark.parametrize(
    "contract", [each for each in CONTRACTS if each not in TWICE], ids=lambda contract: contract.__name__
)
async def test_contract_in_memory(contract, tmp_path):
    """The back-end keeps its promises in memory too, but for those about opening it again."""
    await contract(lambda: open_ledger("sqlite://", tmp_path))


async def test_settings(tmp_path):
    """The connection writes ahead, checks foreign keys, and waits for the disk only at checkpoints."""
    async with opened(tmp_path) as (_, database):
        names = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        assert [(await database.read(f"PRAGMA {name}"))[0][0] for name in names] == ["wal", 1, 1, 5000]


async def test_group_commit(tmp_path):
    """Jobs that wait together are one transaction: another connection sees few versions of many commits."""
    async with opened(tmp_path) as (ledger, _):
        wal = tmp_path / "state.db-wal"
        start = wal.stat().st_size
        await ledger.create_run(a_run(), LEASE, Told())
        alone = wal.stat().st_size - start
        await asyncio.gather(*(ledger.create_run(a_run(), LEASE, Told()) for _ in range(50)))
        assert wal.stat().st_size - start - alone < 25 * alone


async def test_locked(tmp_path):
    """A database that another program locks is an error worth a retry; queries go on, and so do later commits."""
    async with opened(tmp_path, "busy_timeout = 1") as (ledger, _):
        with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            results = await asyncio.gather(
                *(ledger.create_run(a_run(), LEASE, Told()) for _ in range(3)), return_exceptions=True
            )
            assert [(error.code, error.retryable) for error in results] == [("store_locked", True)] * 3
            await ledger.ping()
        await ledger.create_run(a_run(), LEASE, Told())


async def test_readonly(tmp_path):
    """A database that cannot be written is an error that says so, and nothing is kept."""
    new = a_run()
    async with opened(tmp_path, "query_only = ON") as (ledger, database):
        with pytest.raises(StoreError, match="cannot be written") as caught:
            await ledger.create_run(new, LEASE, Told())
        assert (caught.value.code, await ledger.run(new.id)) == ("store_readonly", None)
        await database.read("PRAGMA query_only = OFF")
        await ledger.create_run(new, LEASE, Told())


async def fill(ledger, run_id):
    """Commits steps of 20 kB until the database is full; returns how many were kept, and the error."""
    for n in range(1, 1000):
        try:
            await ledger.commit_step(a_commit(run_id, n, messages=(Produced(answered("x" * 20_000), n),)))
        except StoreError as error:
            return n - 1, error
    raise AssertionError("the database was never full")


async def test_full(tmp_path):
    """A full disk is an error, keeps nothing of the step that did not fit, and passes when there is room again."""
    new = a_run()
    async with opened(tmp_path, "max_page_count = 60") as (ledger, database):
        await ledger.create_run(new, LEASE, Told())
        kept, error = await fill(ledger, new.id)
        assert (error.code, error.retryable) == ("store_full", True)
        assert error.message == "The disk or the database of the ledger is full."
        assert (len(await ledger.steps(new.id)), (await ledger.run(new.id)).turns) == (kept, kept)
        await database.read("PRAGMA max_page_count = 10000")
        await ledger.commit_step(a_commit(new.id, kept + 1))
        assert [step.n for step in await ledger.steps(new.id)] == list(range(1, kept + 2))


async def test_full_for_one(tmp_path):
    """A step too big for the disk fails by itself: those that were committed with it are kept."""
    runs = [a_run() for _ in range(5)]
    async with opened(tmp_path, "max_page_count = 60") as (ledger, _):
        for new in runs:
            await ledger.create_run(new, LEASE, Told())
        sizes = [10, 10, 1_000_000, 10, 10]
        commits = [
            ledger.commit_step(a_commit(new.id, messages=(Produced(answered("x" * size), 1),)))
            for new, size in zip(runs, sizes, strict=True)
        ]
        results = await asyncio.gather(*commits, return_exceptions=True)
        assert [getattr(error, "code", None) for error in results] == [None, None, "store_full", None, None]
        assert [len(await ledger.steps(new.id)) for new in runs] == [1, 1, 0, 1, 1]


async def test_driver_errors(tmp_path):
    """Faulty SQL and numbers that SQLite cannot hold are errors of the store, and the thread goes on."""
    async with opened(tmp_path) as (ledger, database):
        for sql, params in (("SELECT nothing FROM nowhere", {}), ("SELECT :n", {"n": 2**70}), ("SELECT :n", {})):
            with pytest.raises(StoreError, match="The ledger's database failed"):
                await database.read(sql, **params)
            with pytest.raises(StoreError, match="The ledger's database failed"):
                await database.write(Statement(sql, (params,)))
        await ledger.create_run(a_run(), LEASE, Told())


async def test_cancelled_while_busy(tmp_path):
    """A job whose caller was cancelled while the database was locked does not keep later ones from being committed."""
    async with opened(tmp_path) as (ledger, _):
        given_up, later = a_run(), a_run()
        with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            task = asyncio.create_task(ledger.create_run(given_up, LEASE, Told()))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        await ledger.create_run(later, LEASE, Told())
        assert (task.cancelled(), (await ledger.run(later.id)).state) == (True, "running")


async def test_opening_cancelled(tmp_path):
    """A task that is cancelled while it opens the database leaves no connection behind."""

    async def enter():
        async with open_ledger("sqlite:///state.db", tmp_path):
            raise AssertionError("it was opened before it could be cancelled")

    task = asyncio.create_task(enter())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (tmp_path / "state.db-wal").exists()


async def test_killed(tmp_path):
    """A process that is killed while it commits leaves whole steps only, and every one that it was told is kept."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, tmp_path, "run_killed", stdout=asyncio.subprocess.PIPE
    )
    for _ in range(200):
        await process.stdout.readline()
    process.kill()
    rest = await process.stdout.read()
    told = 200 + rest.count(b"\n")
    assert await process.wait() == -9
    async with opened(tmp_path) as (ledger, database):
        (counts,) = await database.read("SELECT count(*), count(DISTINCT n), count(step) FROM messages")
        steps = [step.n for step in await ledger.steps("run_killed")]
        assert (len(steps) >= told, steps) == (True, list(range(1, len(steps) + 1)))
        assert counts == (2 * len(steps) + 1, 2 * len(steps) + 1, 2 * len(steps))
        assert (await ledger.run("run_killed")).turns == len(steps)
        assert await database.read("PRAGMA integrity_check") == [("ok",)]
        assert await ledger.release_all() == 1
