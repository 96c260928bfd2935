"""A database that somebody else keeps locked while a run is at work."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

from headgate.testing.harness import live
from tests import workshop
from tests.conftest import Tree
from tests.waiting import until

SCRIPT = """
- {text: "I wait. ", call: patient, args: {name: lock}}
- {text: Well.}
"""
PATIENT = "kind: function\ndescription: Waits.\ncall: tests.workshop:wait\nannotations: {idempotent: true}\n"


async def test_a_locked_database(tree: Tree) -> None:
    """The client is told what is wrong; no committed event is lost, and the run goes on by itself."""
    root = tree(SCRIPT, files={"tools/patient.yaml": PATIENT})
    async with live(root, watch=False) as gateway:
        host = gateway.gateway.edge.host
        session = await gateway.session()
        session.messages.append({"role": "user", "content": "hi"})
        with closing(sqlite3.connect(root / ".headgate" / "state.db", isolation_level=None)) as other:
            async with session.stream() as events:
                found = [await anext(events)]
                await until(lambda: "lock" in workshop.entered)
                (run,) = host.runs
                before = await host.ledger.events(run, (0, 0), 1000)
                other.execute("BEGIN IMMEDIATE")
                workshop.gate("lock").set()
                found += [event async for event in events]
            other.execute("ROLLBACK")
        assert found[-1]["type"] == "error"
        assert found[-1]["error"] == "store_locked: Another program keeps the ledger's database locked."
        assert not any(event["type"] == "tool_call_complete" for event in found)
        async with asyncio.timeout(60):
            while (record := await host.ledger.run(run)) is None or record.state != "completed":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        after = await host.ledger.events(run, (0, 0), 1000)
        assert after[: len(before)] == before
        assert (record.answer, workshop.entered) == ("I wait. Well.", ["lock", "lock"])
        assert await session.say("again?")
