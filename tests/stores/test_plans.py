"""No statement of the ledger reads a whole table."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import asynccontextmanager, closing

import pytest

from headgate.stores import open_ledger
from headgate.stores.sql.ledger import SqlLedger
from headgate.stores.sql.sqlite import open_sqlite
from headgate.testing.ledger_kit import CONTRACTS, TWICE

WHOLE = re.compile(r"SCAN (audit|events|grants|intents|messages|runs|sessions|steps|usage|waits)$")


class Listening:
    """A database that passes everything on, and remembers the statements."""

    def __init__(self, database, heard):
        self._database, self._heard = database, heard
        self.dialect = database.dialect

    async def read(self, sql, **params):
        """Remembers the query."""
        self._heard[sql] = params
        return await self._database.read(sql, **params)

    def __getattr__(self, name):
        async def passed(*statements):
            self._heard.update({each.sql: each.rows[0] for each in statements if hasattr(each, "sql")})
            return await getattr(self._database, name)(*statements)

        return passed


async def statements():
    """Every statement that the contracts lead to, with parameters."""
    heard = {}

    @asynccontextmanager
    async def opened():
        async with open_sqlite(None) as database:
            yield SqlLedger(Listening(database, heard))

    for contract in CONTRACTS:
        if contract not in TWICE:
            await contract(opened)
    return heard


async def make(root):
    """Makes an empty ledger."""
    async with open_ledger("sqlite:///state.db", root):
        pass


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    """How SQLite goes about each of the statements, in a ledger that it knows nothing about."""
    root = tmp_path_factory.mktemp("plans")
    heard = asyncio.run(statements())
    asyncio.run(make(root))
    with closing(sqlite3.connect(root / "state.db")) as db:
        db.create_function("sha256", 1, str)
        return {
            sql: [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", {"n": 1, "hash": "", **heard[sql]})]
            for sql in heard
        }


def test_no_table_is_read_whole(plans):
    """Every statement finds its rows by an index, whatever it is about."""
    assert len(plans) > 60
    assert {sql: plan for sql, plan in plans.items() if any(map(WHOLE.search, plan))} == {}


@pytest.mark.parametrize(
    ("words", "indexes"),
    [
        (
            "free AS",
            [
                "ix_runs_state_created_at_id (state=?)",
                "ix_runs_leased (state=? AND lease_until=?)",
                "ix_runs_leased (state=? AND lease_until<?)",
            ],
        ),
        ("DELETE FROM events WHERE (run_id, fence, n)", ["ix_runs_with_events (ended_at<?)"]),
        ("DELETE FROM events WHERE run_id", ["ix_events_deltas (run_id=? AND step=?)"]),
        ("DELETE FROM steps", ["ix_runs_with_steps (ended_at<?)"]),
        ("session_id IS NULL AND ended_at <", ["ix_runs_alone (session_id=? AND ended_at<?)"]),
        ("SET state = 'cancelled'", ["ix_waits_run_id (run_id=?)"]),
        ("AND runs.ended_at IS NULL)\n", ["ix_runs_session_id (session_id=?)"]),
        ("WHERE session_id = :session_id AND coalesce(state", ["ix_waits_session_id (session_id=?)"]),
        ("expires_at <= :now ORDER", ["ix_waits_expiring (state=? AND expires_at<?)"]),
        ("min(expires_at)", ["ix_waits_expiring (state=?)"]),
        ("chain) AND coalesce", ["ix_runs_session_id (session_id=?)"]),
    ],
)
def test_upkeep_reads_little(words, indexes, plans):
    """What is done every so often reads what it is about, in its order, and not all that waits, goes on or is over."""
    (plan,) = [plan for sql, plan in plans.items() if words in sql]
    used = [step.partition(" INDEX ")[2] for step in plan if " INDEX ix_" in step]
    assert [index for index in used if not index.startswith(("ix_runs_prior_run", "ix_sessions_head_run"))] == indexes
