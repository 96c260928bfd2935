"""Contracts of the ledger: the audit log is one chain, and tells what was kept, no more and no less."""

from __future__ import annotations

import asyncio
from typing import Any

from headgate.stores.audit import AuditEntry, AuditFilter, AuditRecord, Link, hash_of
from headgate.stores.chain import verify
from headgate.stores.port import Ledger
from headgate.stores.records import Intent
from headgate.stores.sweep import Cutoffs
from headgate.stores.told import Told
from headgate.stores.waits import Opened
from headgate.testing.ledger_checks import Contract, Opener, begin, refused, same
from headgate.testing.ledger_samples import LEASE, a_commit, a_park, a_run, a_step, a_wait, an_answer, an_end


def an_entry(n: int = 1, **changes: Any) -> AuditEntry:
    """Something that happened at 100 + n."""
    return AuditEntry(**{"at": 100.0 + n, "kind": "tested", "key": "local", "details": {"n": n}, **changes})


def noted(kind: str) -> Told:
    """What a transaction has the audit log tell."""
    return Told(audit=(an_entry(kind=kind),))


async def whole(ledger: Ledger) -> tuple[AuditRecord, ...]:
    """All records, oldest first, which are a chain."""
    verdict = await verify(ledger)
    same((verdict.broken, verdict.reason), (None, ""))
    found = await ledger.audit_chain(0, 10_000)
    same((await ledger.audit_ends()).head, found[-1].link if found else Link())
    return found


async def records_are_chained(opener: Opener) -> None:
    """Each record has the hash of the one before it; the first has none before it."""
    async with opener() as ledger:
        same(await whole(ledger), ())
        odd = an_entry(3, details={"text": "a\x00b \ud800 é"}, run="r", call="c", tool="t", policy="p", agent="a")
        await ledger.append_audit([an_entry(1), an_entry(2)])
        await ledger.append_audit([])
        await ledger.append_audit([odd])
        first, second, third = await whole(ledger)
        same([first.n, first.prev, first.hash], [1, "", hash_of("", first.text)])
        same((second.n, second.prev, second.hash), (2, first.hash, hash_of(first.hash, second.text)))
        same((first.entry, second.entry), (an_entry(1), an_entry(2)))
        same((third.entry.tool, third.entry.details["text"].startswith("a")), ("t", True))


async def transactions_are_told(opener: Opener) -> None:
    """What a transaction tells is in the audit log with it, in order, whatever the transaction is."""
    async with opener() as ledger:
        new, wait = a_run(), a_wait("none")
        await ledger.create_run(new, LEASE, noted("created"))
        await ledger.commit_step(a_commit(new.id, told=noted("called")))
        intent = Intent(run_id=new.id, fence=1, step=2, call_id="c", tool="t", at=1.0, told=noted("begun"))
        await ledger.begin_call(intent)
        wait = a_wait(new.id)
        await ledger.open_wait(Opened(fence=1, wait=wait, told=noted("asked")))
        await ledger.park(a_park(new.id, wait.id, told=noted("parked")))
        await ledger.answer(an_answer(wait.id, audit=noted("answered").audit))
        await ledger.claim_run(new.id, LEASE)
        await ledger.finish_run(an_end(new.id, fence=2, told=noted("ended")))
        kinds = [record.entry.kind for record in await whole(ledger)]
        same(kinds, ["created", "called", "begun", "asked", "parked", "answered", "ended"])


async def nothing_else_is_told(opener: Opener) -> None:
    """What is not kept is not in the audit log, and the chain goes on behind it."""
    async with opener() as ledger:
        new = await begin(ledger)
        await refused(ledger.commit_step(a_commit(new.id, fence=9, told=noted("fenced"))), "fenced")
        twice = (a_step(1), a_step(1))
        await refused(ledger.commit_step(a_commit(new.id, steps=twice, told=noted("twice"))), "store_conflict")
        wait = a_wait(new.id)
        await ledger.open_wait(Opened(fence=1, wait=wait, told=Told()))
        await ledger.answer(an_answer(wait.id, audit=noted("first").audit))
        same(await ledger.answer(an_answer(wait.id, audit=noted("second").audit)), None)
        await ledger.append_audit([an_entry(kind="after")])
        same([record.entry.kind for record in await whole(ledger)], ["first", "after"])


async def expiries_are_told(opener: Opener) -> None:
    """A wait that expires has a record; one that was answered in time has none."""
    async with opener() as ledger:
        new = await begin(ledger)
        late, early = a_wait(new.id, policy="gate"), a_wait(new.id, call_id="c2", expires_at=300.0)
        for wait in (late, early):
            await ledger.open_wait(Opened(fence=1, wait=wait, told=Told()))
        same([await ledger.expire_waits(250.0, 10) for _ in range(2)], [1, 0])
        ((entry),) = [record.entry for record in await whole(ledger)]
        same((entry.kind, entry.at, entry.outcome), ("approval.expired", 250.0, "expired"))
        same((entry.run, entry.call, entry.tool, entry.policy), (new.id, "c1", "refund", "gate"))
        same((entry.agent, entry.details), ("clerk", {"wait": late.id}))


async def records_are_found(opener: Opener) -> None:
    """Records are listed newest first, by kind, key, run and time, in pages that lead to all of them."""
    async with opener() as ledger:
        new = await begin(ledger, created_at=100.0)
        await ledger.append_audit([an_entry(n, kind="even" if n % 2 == 0 else "odd") for n in range(1, 8)])
        await ledger.append_audit([an_entry(8, key="other", run=new.id)])

        async def numbers(**wanted: Any) -> list[int]:
            page = await ledger.audit(AuditFilter(**{"limit": 3, **wanted}))
            found = [record.n for record in page.records]
            return found + (await numbers(**wanted | {"before": page.following}) if page.following else [])

        same(await numbers(), [8, 7, 6, 5, 4, 3, 2, 1])
        same((await numbers(kind="even"), await numbers(key="other"), await numbers(kind="none")), ([6, 4, 2], [8], []))
        same((await numbers(run=new.id), await numbers(run="gone")), ([8], []))
        same((await numbers(since=103.0, until=106.0), await numbers(since=200.0)), ([5, 4, 3], []))
        same(await ledger.audit_place(106.0) < 6, True)


async def trimming_keeps_the_chain(opener: Opener) -> None:
    """What is old goes from the beginning; the anchor keeps the last hash, a record tells, and the newest stays."""
    async with opener() as ledger:
        same((await ledger.sweep(Cutoffs(audit=1e12), 10)).audit, 0)
        await ledger.append_audit([an_entry(n) for n in range(1, 6)])
        before = await whole(ledger)
        swept = await ledger.sweep(Cutoffs(audit=103.5), 2)
        same((swept.audit, swept.more), (2, True))
        swept = await ledger.sweep(Cutoffs(audit=103.5), 2)
        same((swept.audit, swept.more), (1, False))
        left = await whole(ledger)
        same([record.n for record in left], [4, 5, 6, 7])
        same((await ledger.audit_ends()).anchor, before[2].link)
        same([record.entry.kind for record in left[2:]], ["audit.trimmed"] * 2)
        same(left[3].entry.details, {"records": 1, "last": 3, "hash": before[2].hash})
        await ledger.sweep(Cutoffs(audit=1e12), 100)
        same(len(await whole(ledger)) >= 1, True)


async def many_write_one_chain(opener: Opener) -> None:
    """However many ledgers on one store write at once, there is one chain without a gap or a fork."""
    async with opener() as one, opener() as two:
        runs = [await begin(one) for _ in range(4)]
        commits = [
            (one, two)[n % 2].commit_step(a_commit(new.id, n, told=Told(audit=(an_entry(n), an_entry(n)))))
            for n in range(1, 11)
            for new in runs
        ]
        alone = [(one, two)[n % 2].append_audit([an_entry(n, kind="alone")]) for n in range(10)]
        await asyncio.gather(*commits, *alone)
        same([record.n for record in await whole(one)], list(range(1, 91)))


AUDIT: tuple[Contract, ...] = (
    records_are_chained,
    transactions_are_told,
    nothing_else_is_told,
    expiries_are_told,
    records_are_found,
    trimming_keeps_the_chain,
    many_write_one_chain,
)
"""The contracts of this module."""
