"""Backups of a ledger that is in use, and how much room it takes."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from contextlib import closing

import pytest

from headgate.core.errors import StoreError
from headgate.core.events import MessageCompleted
from headgate.core.messages import Usage
from headgate.stores import open_ledger
from headgate.stores.records import RunFilter
from headgate.stores.told import Batch, Told
from headgate.testing.ledger_checks import begin, told
from headgate.testing.ledger_samples import a_commit, at, deltas

URL = "sqlite:///state.db"


async def test_backup_is_a_ledger(tmp_path):
    """A backup is opened as any ledger, and has what was committed; a log that was written ahead is in it."""
    async with open_ledger(URL, tmp_path) as ledger:
        new = await begin(ledger)
        await ledger.commit_step(a_commit(new.id))
        await ledger.backup(tmp_path / "copy.db")
        assert [path.name for path in sorted(tmp_path.glob("copy*"))] == ["copy.db"]
        assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
        await ledger.commit_step(a_commit(new.id, 2))
    async with open_ledger("sqlite:///copy.db", tmp_path) as copied:
        assert [step.n for step in await copied.steps(new.id)] == [1]
        await copied.release_all()


async def test_backup_of_memory(tmp_path):
    """A ledger in memory can be kept in a file."""
    async with open_ledger("sqlite://", tmp_path) as ledger:
        new = await begin(ledger)
        await ledger.backup(tmp_path / "copy.db")
        assert await ledger.size() == 0
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    async with open_ledger("sqlite:///copy.db", tmp_path) as copied:
        assert [run.id for run in await copied.runs(RunFilter())] == [new.id]


async def test_commits_go_on(tmp_path):
    """Commits are kept while a backup is made, and it has whole ones only: as many steps as turns, and no gap."""
    async with open_ledger(URL, tmp_path) as ledger:
        new = await begin(ledger)
        done = 0

        async def commit():
            nonlocal done
            while not copying.done():
                done += 1
                await ledger.commit_step(a_commit(new.id, done))

        copying = asyncio.create_task(ledger.backup(tmp_path / "copy.db"))
        await asyncio.gather(copying, commit())
        assert done > 0
        assert len(await ledger.steps(new.id)) == done
    with closing(sqlite3.connect(tmp_path / "copy.db")) as db:
        steps, newest, turns = db.execute("SELECT count(*), max(n), (SELECT turns FROM runs) FROM steps").fetchone()
        assert (steps, newest or 0) == (turns, turns)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_backup_that_fails(tmp_path):
    """A backup that cannot be made leaves no file, and one of a closed ledger is refused."""
    async with open_ledger(URL, tmp_path) as ledger:
        (tmp_path / "folder").mkdir()
        with pytest.raises(StoreError) as caught:
            await ledger.backup(tmp_path / "folder")
        assert caught.value.code == "store_conflict"
        task = asyncio.create_task(ledger.backup(tmp_path / "copy.db"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert not (tmp_path / "copy.db").exists()
    with pytest.raises(StoreError) as caught:
        await ledger.backup(tmp_path / "copy.db")
    assert (caught.value.code, (tmp_path / "copy.db").exists()) == ("store_closed", False)


async def test_size_grows(tmp_path):
    """The size is that of the files, what is written ahead included."""
    async with open_ledger(URL, tmp_path) as ledger:
        before = await ledger.size()
        await begin(ledger)
        assert (
            before
            < await ledger.size()
            == sum((tmp_path / name).stat().st_size for name in ("state.db", "state.db-wal"))
        )


async def test_logs_are_small(tmp_path):
    """A turn of a thousand deltas is one row, and takes little more than its text."""
    words = tuple(f"word{n:04} " for n in range(1000))
    async with open_ledger(URL, tmp_path) as ledger:
        new = await begin(ledger)
        pieces = deltas(1, *words)
        for start in range(0, 1000, 50):
            await ledger.append_events([Batch(new.id, 1, pieces[start : start + 50])])
        message = at(1001, MessageCompleted(text="".join(words), usage=Usage(), model="m1", step=1))
        await ledger.commit_step(a_commit(new.id, told=Told((message,), pieces)))
        assert len(await told(ledger, new.id)) == 1001
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        rows = db.execute("SELECT size, length(data) FROM events").fetchall()
    assert [size for size, _ in rows] == [1001]
    assert rows[0][1] < 1.3 * len("".join(words))
