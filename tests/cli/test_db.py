"""The ledger at the command line: what is in it, copies of it, and its schema."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from headgate.stores.sql.schema import HEAD
from headgate.testing.harness import live
from tests.cli.console import headgate
from tests.cli.trees import KEYS, tree

OLD = Path(__file__).parents[1] / "stores" / "data" / "schema_0001.sql"


async def used(root: Path) -> Path:
    """A tree whose ledger holds one run."""
    assert (await headgate("run", "helper", "hi", home=tree(root))).code == 0
    return root


def old(root: Path) -> Path:
    """A tree whose ledger has the first schema."""
    folder = tree(root) / ".headgate"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "state.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(OLD.read_text(encoding="utf-8"))
    return root


async def test_info(tmp_path: Path) -> None:
    """The schema, the size and what there is are told, for people and for machines."""
    root = await used(tmp_path)
    told = json.loads((await headgate("db", "info", "--format", "json", home=root)).out)
    assert told.pop("size") > 4096
    assert told == {
        "ledger": str(root / ".headgate" / "state.db"), "schema": HEAD, "newest_schema": HEAD, "sessions": 1,
        "runs": {"completed": 1}, "pending_waits": 0,
    }  # fmt: skip
    shown = (await headgate("db", "info", home=root)).out
    assert f"schema    {HEAD}, the newest of this build\n" in shown
    assert "runs      1 completed\nwaits     0 pending\n" in shown


async def test_info_changes_nothing(tmp_path: Path) -> None:
    """Looking at an older ledger does not bring it up to date."""
    root = old(tmp_path)
    for _ in range(2):
        told = json.loads((await headgate("db", "info", str(root), "--format", "json", home=tmp_path)).out)
        assert (told["schema"], told["pending_waits"]) == ("0001", 0)


async def test_upgrade(tmp_path: Path) -> None:
    """An older ledger is brought to the schema of this build, once; both revisions are told."""
    root = old(tmp_path)
    first = await headgate("db", "upgrade", home=root)
    assert (first.code, first.out) == (0, f"schema 0001 became {HEAD}\n")
    again = await headgate("db", "upgrade", "--format", "json", home=root)
    assert json.loads(again.out) == {"from": HEAD, "to": HEAD}
    assert (await headgate("run", "helper", "hi", home=root)).code == 0


async def test_upgrade_of_a_served_ledger(tmp_path: Path) -> None:
    """A ledger that a gateway works on is not touched, from whatever tree it is named."""
    root = await used(tmp_path / "served")
    async with live(root):
        refused = await headgate("db", "upgrade", str(root), home=tmp_path)
        named = await headgate("db", "upgrade", "--store", f"sqlite:///{root}/.headgate/state.db", home=tmp_path)
    assert (refused.code, named.code) == (1, 1)
    assert "another gateway runs on" in refused.err
    assert "another gateway runs on" in named.err


async def test_backup_while_served(tmp_path: Path) -> None:
    """A copy is made while a gateway serves; it is a whole ledger that its owner alone can read."""
    root = await used(tmp_path / "served")
    async with live(root) as gateway:
        words = ("run", "helper", "hi", "--url", gateway.url)
        assert (await headgate(*words, home=root, environ=KEYS)).code == 0
        done = await headgate("db", "backup", "copy.db", str(root), home=tmp_path)
    copy = tmp_path / "copy.db"
    assert (done.code, copy.stat().st_mode & 0o777) == (0, 0o600)
    assert done.out.endswith(f"schema {HEAD}\n")
    told = await headgate("db", "info", "--store", f"sqlite:///{copy}", "--format", "json", home=tmp_path)
    assert json.loads(told.out)["runs"] == {"completed": 2}


async def test_backup_before_an_upgrade(tmp_path: Path) -> None:
    """The copy of an older ledger has the older schema, so that the older build can read it."""
    root = old(tmp_path)
    told = json.loads((await headgate("db", "backup", "copy.db", "--format", "json", home=root)).out)
    assert (told["file"], told["schema"]) == ("copy.db", "0001")


async def test_restore(tmp_path: Path) -> None:
    """A copy in the place of the ledger is the ledger."""
    root = await used(tmp_path)
    assert (await headgate("db", "backup", "copy.db", home=root)).code == 0
    assert (await headgate("run", "helper", "hi", home=root)).code == 0
    for left in (root / ".headgate").glob("state.db*"):
        left.unlink()
    (root / "copy.db").rename(root / ".headgate" / "state.db")
    told = json.loads((await headgate("db", "info", "--format", "json", home=root)).out)
    assert told["runs"] == {"completed": 1}
    assert (await headgate("run", "helper", "hi", home=root)).code == 0


async def test_backup_never_overwrites(tmp_path: Path) -> None:
    """A file that is there already is left alone."""
    root = await used(tmp_path)
    (root / "copy.db").write_text("mine", encoding="utf-8")
    done = await headgate("db", "backup", "copy.db", home=root)
    assert (done.code, (root / "copy.db").read_text(encoding="utf-8")) == (1, "mine")
    assert "exists already" in done.err


async def test_no_ledger(tmp_path: Path) -> None:
    """A ledger that is not there is told, and not made."""
    root = tree(tmp_path)
    for words in (("info",), ("upgrade",), ("backup", "copy.db")):
        done = await headgate("db", *words, home=root)
        assert (done.code, "There is no ledger at" in done.err) == (1, True)
    assert not (root / ".headgate" / "state.db").exists()
    assert not (root / "copy.db").exists()


async def test_not_a_ledger(tmp_path: Path) -> None:
    """A database of another program is refused."""
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE things (id)")
    for words in (("info",), ("backup", "copy.db")):
        done = await headgate("db", *words, "--store", "sqlite:///other.db", home=tmp_path)
        assert (done.code, "is not a ledger" in done.err) == (1, True)


async def test_broken_tree(tmp_path: Path) -> None:
    """A broken agent does not keep anybody from the ledger; a broken gateway.toml does, unless it is named."""
    root = await used(tmp_path)
    (root / "agents" / "helper.md").write_text("---\nmodle: x\n---\nHi\n", encoding="utf-8")
    assert (await headgate("db", "info", home=root)).code == 0
    (root / "gateway.toml").write_text("version = ", encoding="utf-8")
    refused = await headgate("db", "info", home=root)
    assert (refused.code, "gateway.toml:1" in refused.err) == (1, True)
    assert (await headgate("db", "info", "--store", "sqlite:///.headgate/state.db", home=root)).code == 0


async def test_memory(tmp_path: Path) -> None:
    """A ledger in memory cannot be looked at from outside."""
    done = await headgate("db", "info", home=tree(tmp_path, '[store]\nurl = "sqlite://"\n'))
    assert (done.code, "a ledger in memory" in done.err) == (1, True)
