"""Opening a ledger by its URL."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing

import pytest

from headgate.core.errors import ConfigError, StoreError
from headgate.stores import open_ledger
from headgate.stores.told import Told
from headgate.testing.ledger_samples import LEASE, a_run


def mode(path):
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


async def test_relative_url(tmp_path):
    """A relative URL is below the root, and the directories and files that are made are private to the user."""
    async with open_ledger("sqlite:///new/deep/state.db", tmp_path) as ledger:
        await ledger.create_run(a_run(), LEASE, Told())
        files = sorted(path.name for path in (tmp_path / "new/deep").iterdir())
        assert files == ["state.db", "state.db-shm", "state.db-wal"]
        assert {mode(path) for path in (tmp_path / "new/deep").iterdir()} == {0o600}
    assert [mode(tmp_path / "new"), mode(tmp_path / "new/deep")] == [0o700, 0o700]


async def test_absolute_url(tmp_path):
    """An absolute URL does not depend on the root."""
    async with open_ledger(f"sqlite:///{tmp_path}/state.db", tmp_path / "elsewhere") as ledger:
        await ledger.ping()
    assert (tmp_path / "state.db").exists()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
async def test_memory(url, tmp_path):
    """A database in memory leaves no file, and each opening makes a new one."""
    new = a_run()
    async with open_ledger(url, tmp_path) as ledger, open_ledger(url, tmp_path) as other:
        await ledger.create_run(new, LEASE, Told())
        assert await ledger.run(new.id) is not None
        assert await other.run(new.id) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:secret@db/state", "The PostgreSQL store is not in this build."),
        ("mysql://me:secret@db/state", "The store's URL has to begin with sqlite:// in this build."),
        ("state.db", "The store's URL has to begin with sqlite:// in this build."),
        ("sqlite://state.db", "'sqlite://state.db' does not name a database file."),
        ("sqlite:///", "'sqlite:///' does not name a database file."),
        ("sqlite:///state.db?mode=ro", "'sqlite:///state.db?mode=ro' does not name a database file."),
    ],
)
async def test_unusable_url(url, message, tmp_path):
    """A URL that cannot be served is refused with what to write instead, and without its password."""
    with pytest.raises(ConfigError) as caught:
        async with open_ledger(url, tmp_path):
            pass
    assert caught.value.message == message
    assert caught.value.key == ("store", "url")
    assert "sqlite:///" in caught.value.hint


async def test_directory_in_the_way(tmp_path):
    """A path that cannot be a database file is an error that names it."""
    (tmp_path / "state.db").mkdir()
    with pytest.raises(StoreError, match=r"state\.db: Is a directory") as caught:
        async with open_ledger("sqlite:///state.db", tmp_path):
            pass
    assert caught.value.code == "store_readonly"


async def test_not_a_database(tmp_path):
    """A file that is not a database is refused and stays as it is."""
    (tmp_path / "state.db").write_text("dear diary, " * 500)
    with pytest.raises(StoreError, match="damaged, or it is not an SQLite database"):
        async with open_ledger("sqlite:///state.db", tmp_path):
            pass
    assert (tmp_path / "state.db").read_text() == "dear diary, " * 500


async def test_foreign_database(tmp_path):
    """A database of another program is refused and gains no tables."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        db.execute("CREATE TABLE songs (title TEXT)")
    with pytest.raises(StoreError, match="belongs to another program"):
        async with open_ledger("sqlite:///state.db", tmp_path):
            pass
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("songs",)]
