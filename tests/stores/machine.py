"""A ledger beside its model, and the means to do the same to both."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path

import pytest
from hypothesis.stateful import RuleBasedStateMachine, precondition

from headgate.core.errors import StoreError
from headgate.stores.records import Lease
from headgate.stores.sql.ledger import SqlLedger
from headgate.stores.sql.sqlite import open_sqlite
from tests.stores.model import Model


def lease(owner, over):
    """A lease that holds for the whole test, or is over at once."""
    return Lease(owner, -1.0 if over else 1e6)


going_on = precondition(lambda self: self.pick(0, "running"))
"""For what only a running run does."""


@cache
def empty():
    """A ledger with nothing in it, made once: migrations take longer than everything that is done here."""

    async def make(path):
        async with open_sqlite(path):
            pass

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(make(Path(folder) / "state.db"))
        return (Path(folder) / "state.db").read_bytes()


class Machine(RuleBasedStateMachine):
    """What rules are written with."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        (self.root / "state.db").write_bytes(empty())
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.model = Model()
        self.clock = 1000.0

    def open(self):
        """Opens the store, which may have been open before."""
        database = self.do(self.stack.enter_async_context(open_sqlite(self.root / "state.db")))
        self.do(database.read("PRAGMA synchronous = OFF"))  # nobody pulls the plug here
        self.ledger = SqlLedger(database)

    def teardown(self):
        """Leaves nothing behind."""
        self.do(self.stack.aclose())
        self.runner.close()
        shutil.rmtree(self.root)

    def do(self, work):
        """Carries the work out."""
        return self.runner.run(work)

    def refuse(self, work, code):
        """The work is refused."""
        with pytest.raises(StoreError) as caught:
            self.do(work)
        assert caught.value.code == code

    def tick(self):
        """A moment later."""
        self.clock += 1.0
        return self.clock

    def pick(self, number, *states):
        """One of the runs in these states, or None."""
        runs = [run for run in self.model.runs.values() if run.state in states]
        return runs[number % len(runs)] if runs else None

    def losers(self):
        """Runs with a fence under which nothing may be written."""
        runs = self.model.runs.values()
        return [(run, run.fence) for run in runs if run.state != "running"] + [
            (run, run.fence - 1) for run in runs if run.fence > 1
        ]

    def tell(self, run, kind, text):
        """The next event of a run, which is also what the model keeps."""
        run.told += 1
        step = len(run.steps) + 1
        run.log.append((kind, f"{run.fence}-{run.told}", step, text))
        return run.told, step
