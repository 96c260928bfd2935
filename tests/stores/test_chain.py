"""Every way to tamper with the audit log is seen, and where: bytes, rows, their order, and the end."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from headgate.core.errors import StoreError
from headgate.stores import open_ledger
from headgate.stores.audit import Link, hash_of
from headgate.stores.chain import verify
from headgate.stores.sql.beside import open_books
from headgate.stores.sweep import Cutoffs
from headgate.testing.ledger_audit import an_entry

URL = "sqlite:///state.db"
FLIP = "UPDATE audit SET entry = replace(entry, '\"n\":5', '\"n\":6') WHERE n = 5"
MOVE = "UPDATE audit SET n = :to WHERE n = :n"


async def made(root):
    """A log of ten records; its head."""
    async with open_ledger(URL, root) as ledger:
        await ledger.append_audit([an_entry(n) for n in range(1, 11)])
        return (await ledger.audit_ends()).head


def tamper(root, *statements):
    """Changes the database behind the ledger's back."""
    with closing(sqlite3.connect(root / "state.db")) as db, db:
        for sql in statements:
            assert db.execute(sql).rowcount > 0


async def found(root, known=None):
    """Where the walk ended: the number of the first record that is wrong, and why."""
    with open_books(root / "state.db") as books:
        verdict = await verify(books, known)
    return verdict.broken, verdict.reason


@pytest.mark.parametrize(
    ("statements", "n", "reason"),
    [
        ([FLIP], 5, "is not what was hashed"),
        (["UPDATE audit SET hash = replace(hash, substr(hash, 1, 1), 'x') WHERE n = 5"], 5, "not what was hashed"),
        (["UPDATE audit SET key = 'mallory' WHERE n = 5"], 5, "its columns say something else"),
        (["UPDATE audit SET at = at + 1 WHERE n = 5"], 5, "its columns say something else"),
        (["UPDATE audit SET entry = '{' WHERE n = 1"], 1, "cannot be read"),
        (["DELETE FROM audit WHERE n = 5"], 6, "records 5 to 5 before it are missing"),
        (["DELETE FROM audit WHERE n = 1"], 2, "records 1 to 1 before it are missing"),
        (["DELETE FROM audit WHERE n = 5", "UPDATE audit SET n = n - 1 WHERE n > 5"], 5, "not what was hashed"),
        (
            [MOVE.replace(":n", n).replace(":to", to) for n, to in (("5", "99"), ("6", "5"), ("99", "6"))],
            5,
            "not what was hashed",
        ),
    ],
)
async def test_tampering(tmp_path, statements, n, reason):
    """A changed byte, a missing row and two that were swapped are found at the first record that they spoil."""
    await made(tmp_path)
    assert await found(tmp_path) == (None, "")
    tamper(tmp_path, *statements)
    broken, why = await found(tmp_path)
    assert (broken, reason in why) == (n, True), why


async def test_a_record_that_is_hashed_anew(tmp_path):
    """Who changes a record and its hash is found at the next one."""
    await made(tmp_path)
    with closing(sqlite3.connect(tmp_path / "state.db")) as db, db:
        ((prev,), (text,)) = db.execute("SELECT CASE n WHEN 4 THEN hash ELSE entry END FROM audit WHERE n IN (4, 5)")
        text = text.replace('"n":5', '"n":6')
        db.execute("UPDATE audit SET entry = ?, hash = ? WHERE n = 5", (text, hash_of(prev, text)))
    broken, why = await found(tmp_path)
    assert (broken, "its place behind the record before it" in why) == (6, True)


async def test_the_end_is_cut_off(tmp_path):
    """A shorter log is a whole log; whoever kept the head sees that its end is missing, or that it is another one."""
    head = await made(tmp_path)
    tamper(tmp_path, "DELETE FROM audit WHERE n > 7")
    assert await found(tmp_path) == (None, "")
    broken, reason = await found(tmp_path, head)
    assert (broken, "10 was its head: its end is missing" in reason) == (8, True)
    async with open_ledger(URL, tmp_path) as ledger:
        await ledger.append_audit([an_entry(n) for n in range(20, 25)])
    assert await found(tmp_path) == (None, "")
    assert await found(tmp_path, head) == (10, "its hash is another one than the head that is known")


async def test_all_is_cut_off(tmp_path):
    """A log without records is empty, unless it is known to have had some."""
    head = await made(tmp_path)
    tamper(tmp_path, "DELETE FROM audit")
    assert await found(tmp_path) == (None, "")
    assert (await found(tmp_path, head))[0] == 1


async def test_a_trimmed_beginning(tmp_path):
    """Trimming leaves a chain that begins behind the anchor; taking more away, or moving the anchor, is found."""
    head = await made(tmp_path)
    async with open_ledger(URL, tmp_path) as ledger:
        await ledger.sweep(Cutoffs(audit=104.5), 100)
        anchor = (await ledger.audit_ends()).anchor
    assert anchor.n == 4
    assert await found(tmp_path, head) == (None, "")
    assert await found(tmp_path, anchor) == (None, "")
    assert (await found(tmp_path, Link(4, "0" * 64)))[0] == 4
    tamper(tmp_path, "UPDATE audit_anchor SET hash = 'mine'")
    assert (await found(tmp_path))[0] == 5


async def test_a_beginning_that_nobody_trimmed(tmp_path):
    """Who takes records from the beginning and moves the anchor to fit is found: a trimming tells where it ended."""
    await made(tmp_path)
    forge = "UPDATE audit_anchor SET n = 4, hash = (SELECT hash FROM audit WHERE n = 4)"
    tamper(tmp_path, forge, "DELETE FROM audit WHERE n <= 4")
    broken, why = await found(tmp_path)
    assert (broken, "no record tells that those up to 4 were trimmed" in why) == (5, True), why


async def test_a_beginning_that_is_trimmed_meanwhile(tmp_path):
    """A walk that meets a sweep goes on behind the new anchor."""

    class Swept:
        """A log that is trimmed between its first page and the next."""

        def __init__(self, ledger):
            self._ledger = ledger
            self.audit_ends = ledger.audit_ends

        async def audit_chain(self, after, limit):
            """Two records at a time."""
            if after == 2:
                await self._ledger.sweep(Cutoffs(audit=105.5), 100)
            return await self._ledger.audit_chain(after, 2)

    await made(tmp_path)
    async with open_ledger(URL, tmp_path) as ledger:
        verdict = await verify(Swept(ledger))
    assert (verdict.broken, verdict.records, verdict.anchor.n) == (None, 8, 0)


async def test_books_are_read_beside(tmp_path):
    """The log can be read while its ledger is open, and written by nobody that way."""
    head = await made(tmp_path)
    async with open_ledger(URL, tmp_path) as ledger:
        with open_books(tmp_path / "state.db") as books:
            await ledger.append_audit([an_entry(11)])
            assert ((await books.audit_ends()).head.n, head.n) == (11, 10)
            with pytest.raises(StoreError, match="read only"):
                await books.append_audit([an_entry(12)])


async def test_an_old_ledger_has_no_books(tmp_path):
    """A ledger of a release before has to be brought up to date first."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as db, db:
        db.execute("CREATE TABLE alembic_version (version_num TEXT)")
        db.execute("CREATE TABLE sessions (id TEXT)")
        db.execute("CREATE TABLE runs (id TEXT, state TEXT)")
        db.execute("INSERT INTO alembic_version VALUES ('0002')")
    with pytest.raises(StoreError, match="run headgate db upgrade") as caught, open_books(tmp_path / "state.db"):
        pass
    assert caught.value.code == "store_older"
