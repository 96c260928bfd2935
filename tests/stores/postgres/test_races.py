"""What only happens where several connections write at once: each test holds one back while the other goes on."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest

from headgate.core.errors import StoreError
from headgate.core.events import TextDelta
from headgate.stores.records import Lease
from headgate.stores.told import Batch, Told
from headgate.testing.ledger_checks import begin, open_session, told
from headgate.testing.ledger_samples import LEASE, a_park, a_run, a_wait, an_answer, an_end, asked, at

BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
OTHER = Lease("other", 60.0)


@asynccontextmanager
async def meanwhile(server, *statements):
    """A transaction of somebody else, which has run these statements and ends with the block."""
    connection = await asyncpg.connect(host=str(server), user="postgres", database="postgres")
    try:
        async with connection.transaction():
            for sql, *args in statements:
                await connection.execute(sql, *args)
            yield
    finally:
        await connection.close()


async def blocked(server):
    """Returns as soon as somebody waits for a lock."""
    connection = await asyncpg.connect(host=str(server), user="postgres", database="postgres")
    while not await connection.fetchval(BLOCKED):
        pass
    await connection.close()


async def test_park_during_an_answer(opener, server):
    """A run that parks while an answer is being kept waits for it, and is queued."""
    async with opener() as ledger:
        new = await begin(ledger)
        wait = a_wait(new.id)
        await ledger.open_wait(asked(wait))
        hold = ("UPDATE runs SET fence = fence WHERE id = $1", new.id)
        settle = ("UPDATE waits SET state = 'approved' WHERE id = $1", wait.id)
        async with meanwhile(server, hold, settle):
            parking = asyncio.create_task(ledger.park(a_park(new.id, wait.id)))
            await blocked(server)
        assert await parking == "queued"


async def test_answer_during_a_park(opener, server):
    """An answer that comes while the run parks waits for that, and queues the run."""
    async with opener() as ledger:
        new = await begin(ledger)
        wait = a_wait(new.id)
        await ledger.open_wait(asked(wait))
        async with meanwhile(server, ("UPDATE runs SET state = 'waiting', lease_owner = NULL WHERE id = $1", new.id)):
            answering = asyncio.create_task(ledger.answer(an_answer(wait.id)))
            await blocked(server)
        assert (await answering).state == "approved"
        assert (await ledger.run(new.id)).state == "queued"


async def test_zombie_during_a_claim(opener, server):
    """A former owner whose events meet the claim of the next adds nothing to the log."""
    async with opener() as ledger:
        new = await begin(ledger)
        async with meanwhile(server, ("UPDATE runs SET fence = 2, lease_owner = 'other' WHERE id = $1", new.id)):
            event = at(1, TextDelta(text="late"))
            telling = asyncio.create_task(ledger.append_events([Batch(new.id, 1, (event,))]))
            await blocked(server)
        await telling
        assert await told(ledger, new.id) == []


async def test_claims_skip(opener, server):
    """Who claims passes over what another is just claiming, and does not wait for it."""
    async with opener() as ledger:
        first, second = [await begin(ledger, lease=Lease("dead", -1.0), created_at=float(n)) for n in range(2)]
        async with meanwhile(server, ("SELECT 1 FROM runs WHERE id = $1 FOR UPDATE", first.id)):
            assert [run.id for run in await ledger.claim(OTHER, 2)] == [second.id]
        assert [run.id for run in await ledger.claim(OTHER, 2)] == [first.id]


async def test_run_during_a_deletion(opener, server):
    """A run that begins while its session is deleted is refused."""
    async with opener() as ledger:
        session = await open_session(ledger)
        async with meanwhile(server, ("DELETE FROM sessions WHERE id = $1", session.id)):
            beginning = asyncio.create_task(ledger.create_run(a_run(session_id=session.id), LEASE, Told()))
            await blocked(server)
        with pytest.raises(StoreError, match="closed or does not exist"):
            await beginning


async def test_deletion_during_a_run(opener, server):
    """A session in which a run is just beginning is not deleted."""
    async with opener() as ledger:
        session = await open_session(ledger)
        done = await begin(ledger, session_id=session.id)
        await ledger.finish_run(an_end(done.id))
        use = ("UPDATE sessions SET updated_at = 1 WHERE id = $1", session.id)
        again = ("UPDATE runs SET state = 'running', ended_at = NULL WHERE id = $1", done.id)
        async with meanwhile(server, use, again):
            deleting = asyncio.create_task(ledger.delete_session(session.id))
            await blocked(server)
        with pytest.raises(StoreError, match="has not ended"):
            await deleting
