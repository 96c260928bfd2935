"""The migrations, the metadata and the revision that the build needs agree."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from headgate.core.errors import StoreError
from headgate.stores import open_ledger
from headgate.stores.documents import DocumentRecord
from headgate.stores.records import RunRecord, SessionRecord, StepRecord
from headgate.stores.sql.connection import connect
from headgate.stores.sql.schema import HEAD, prepare
from headgate.stores.sql.tables import metadata
from headgate.stores.sql.upgrade import settings, upgrade
from headgate.stores.waits import Grant, WaitRecord

URL = "sqlite:///state.db"
START = "import asyncio, pathlib, sys; from headgate.stores import open_ledger\n"
OPEN = START + "async def main():\n async with open_ledger('sqlite:///state.db', pathlib.Path(sys.argv[1])): pass\n"
LOADED = OPEN + "asyncio.run(main()); print('sqlalchemy' in sys.modules or 'alembic' in sys.modules)"


async def make(root):
    """Makes a database at `root`."""
    async with open_ledger(URL, root):
        pass


def stamp(root, version):
    """Writes another revision into the database."""
    with closing(sqlite3.connect(root / "state.db")) as db, db:
        db.execute("UPDATE alembic_version SET version_num = ?", (version,))


async def test_metadata_agrees(tmp_path):
    """A migrated database has the tables, columns, indexes and keys of the metadata, no more and no less."""
    await make(tmp_path)
    engine = create_engine(f"sqlite:///{tmp_path}/state.db", poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert sorted(inspect(connection).get_table_names()) == ["alembic_version", *sorted(metadata.tables)]
        for table in metadata.tables.values():
            found = inspect(connection).get_pk_constraint(table.name)
            assert found["constrained_columns"] == [column.name for column in table.primary_key]


@pytest.mark.parametrize(
    ("table", "record", "apart"),
    [
        ("sessions", SessionRecord, set()),
        ("runs", RunRecord, {"has_events", "has_steps"}),
        ("steps", StepRecord, {"run_id"}),
        ("waits", WaitRecord, set()),
        ("grants", Grant, set()),
        ("documents", DocumentRecord, set()),
    ],
)
def test_records_agree(table, record, apart):
    """A record has a field for every column of its table, but for those that are the ledger's own."""
    assert set(record.__struct_fields__) == {column.name for column in metadata.tables[table].c} - apart


def test_head_is_newest():
    """The revision that the build needs is the newest migration, and revisions are numbered in order."""
    scripts = ScriptDirectory.from_config(settings(None))
    assert scripts.get_heads() == [HEAD]
    numbers = [script.revision for script in scripts.walk_revisions()]
    assert numbers == sorted(numbers, reverse=True)


async def test_newer_database(tmp_path):
    """A database of a newer build is refused, with both revisions, and is not touched."""
    await make(tmp_path)
    stamp(tmp_path, "0999")
    before = (tmp_path / "state.db").read_bytes()
    with pytest.raises(StoreError, match=f"schema 0999 and this build knows only up to {HEAD}") as caught:
        await make(tmp_path)
    assert caught.value.code == "store_newer"
    assert (tmp_path / "state.db").read_bytes() == before


async def test_unknown_revision(tmp_path):
    """A database whose revision no build ever had is refused."""
    await make(tmp_path)
    stamp(tmp_path, "0000-mine")
    with pytest.raises(StoreError, match=r"cannot be brought up to date: .*0000-mine"):
        await make(tmp_path)


async def test_half_made_database(tmp_path):
    """A migration that fails leaves the database as it was."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as db, db:
        db.execute("CREATE TABLE alembic_version (version_num TEXT)")
        db.execute("CREATE TABLE steps (mine TEXT)")
    with pytest.raises(StoreError, match="table steps already exists"):
        await make(tmp_path)
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").fetchall()
    assert tables == [("alembic_version",), ("steps",)]


async def test_two_openers(tmp_path):
    """Of several that open a new database at once, one migrates and the others find it done."""
    await asyncio.gather(*(make(tmp_path) for _ in range(4)))
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        assert db.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]


def test_quick_start(tmp_path):
    """A new database is made, and one that is up to date opened, without loading the machinery of migrations."""
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", LOADED, tmp_path], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "False"


def test_a_new_database():
    """What is made at once in an empty database is what the migrations lead to, to the letter."""
    with closing(connect(None)) as migrated, closing(connect(None)) as made:
        upgrade(migrated)
        prepare(made)
        assert list(made.iterdump()) == list(migrated.iterdump())
