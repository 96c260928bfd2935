"""Databases of releases before this one are brought up to date, with all that is in them."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from headgate.core.messages import ErrorInfo, Opaque, Text, Thinking, ToolCall, ToolResult, Usage
from headgate.stores import open_ledger
from headgate.stores.records import Lease, RunFilter, RunRequest, SessionFilter
from headgate.stores.sql.schema import HEAD
from headgate.stores.sweep import Cutoffs
from headgate.testing.ledger_samples import LEASE, a_commit

URL = "sqlite:///state.db"
DATA = Path(__file__).parent / "data"
SESSION, OTHER, EMPTY = (f"sess_{letter * 32}" for letter in "abc")
DONE, LEFT, FAILED, ALONE = (f"run_{digit * 32}" for digit in "1234")
OPEN = """
import asyncio, pathlib, sys
from headgate.stores import open_ledger

async def main():
    sys.stdin.read(1)
    async with open_ledger("sqlite:///state.db", pathlib.Path(sys.argv[1])) as ledger:
        await ledger.ping()

asyncio.run(main())
"""


@pytest.fixture
def root(tmp_path):
    """A state directory as 0.1.0 left it: a write-ahead log, an exchange with a tool, a failed run, two cut off."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript((DATA / "schema_0001.sql").read_text(encoding="utf-8"))
    return tmp_path


def content(root):
    """All that is in the database, and its schema."""
    with closing(sqlite3.connect(root / "state.db")) as db:
        return list(db.iterdump())


async def test_conversations_stay(root):
    """Conversations of 0.1.0 come back to the letter, opaque bytes included."""
    async with open_ledger(URL, root) as ledger:
        done, left = await ledger.conversation(SESSION)
        assert (done.run_id, done.state, done.answer) == (DONE, "completed", "I look. It costs 12.50.")
        assert done.posted[0].text == "What does order 7 cost? 🙂"
        thinking, text, call = done.produced[0].parts
        assert thinking == Thinking("hm", Opaque("anthropic", "claude-sonnet-4-5", b"\x00\xffsig"))
        assert (text, call) == (
            Text("I look. "),
            ToolCall("toolu_1", "orders__find", {"id": 7, "note": "é\u2028"}),
        )
        assert done.produced[1].parts[0].result == ToolResult(structured={"price": 12.5}, meta={"server": "crm"})
        assert (left.run_id, left.state, left.produced[0].text) == (LEFT, "running", "Once more. ")


async def test_runs_stay(root):
    """Runs and steps of 0.1.0 come back, with the defaults of what it did not know."""
    async with open_ledger(URL, root) as ledger:
        done, failed = await ledger.run(DONE), await ledger.run(FAILED)
        assert (done.channel, done.usage, done.cost) == ("slack", Usage(input=1712, output=50, cache_read=400), 0.0064)
        assert (done.key_digest, done.request, done.elapsed) == ("", RunRequest(), 0.0)
        wanted = ErrorInfo("overloaded_error", "the provider is overloaded", retryable=True, details={"status": 529})
        assert failed.error == wanted
        assert [step.kind for step in await ledger.steps(DONE)] == ["model", "tool", "model"]
        assert [run.id for run in await ledger.runs(RunFilter())] == [ALONE, FAILED, LEFT, DONE]
        assert await ledger.events(DONE, (0, 0), 10) == ()


async def test_sessions_stay(root):
    """Sessions of 0.1.0 are listed, and the newest run says when they were used."""
    async with open_ledger(URL, root) as ledger:
        found = await ledger.sessions(SessionFilter(principal="local"))
        assert [(each.session.id, each.runs, each.messages) for each in found] == [
            (EMPTY, 0, 0),
            (OTHER, 1, 1),
            (SESSION, 2, 6),
        ]
        assert [each.session.updated_at for each in found] == [1760000200.0, 1760000101.0, 1760000060.0]
        assert {each.session.parent for each in found} == {None}


async def test_cut_off_runs_go_on(root):
    """Runs that 0.1.0 left running are claimed, and go on from their last step under their session's key."""
    async with open_ledger(URL, root) as ledger:
        assert [(run.id, run.fence) for run in await ledger.claim(LEASE, 10)] == [(LEFT, 2), (ALONE, 2)]
        found = await ledger.load(LEFT)
        assert (found.run.key_digest[:4], (await ledger.run(ALONE)).key_digest) == ("5e88", "")
        assert ([step.n for step in found.steps], found.begun, found.waits) == ([1], {}, ())
        await ledger.commit_step(a_commit(LEFT, 2, fence=2))
        assert [step.n for step in await ledger.steps(LEFT)] == [1, 2]


async def test_retention_applies(root):
    """What 0.1.0 left is swept as everything else."""
    async with open_ledger(URL, root) as ledger:
        swept = await ledger.sweep(Cutoffs(events=2e9, runs=2e9, sessions=2e9), 1000)
        assert (swept.sessions, swept.runs, swept.steps) == (2, 0, 3)  # the session of the cut-off run stays
        assert (await ledger.session(OTHER), (await ledger.session(SESSION)).id) == (None, SESSION)
        assert [run.id for run in await ledger.runs(RunFilter())] == [ALONE, LEFT, DONE]


async def test_upgrade_is_idempotent(root):
    """A database that is up to date is opened as it is, whatever is in it."""
    async with open_ledger(URL, root):
        pass
    before = content(root)
    async with open_ledger(URL, root) as ledger:
        await ledger.claim(Lease("nobody", 1.0), 0)
    assert content(root) == before
    assert f"INSERT INTO \"alembic_version\" VALUES('{HEAD}');" in before


async def test_upgrades_meet(root):
    """Processes that open an old database at once all find it up to date, and it is upgraded once."""
    pipe = asyncio.subprocess.PIPE
    openers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", OPEN, root, stdin=pipe, stderr=subprocess.STDOUT)
        for _ in range(3)
    ]
    await asyncio.gather(*(opener.communicate(b"!") for opener in openers))
    assert [opener.returncode for opener in openers] == [0, 0, 0]
    async with open_ledger(URL, root) as ledger:
        assert len(await ledger.runs(RunFilter())) == 4
