"""What is told of the gateway itself: bounded, and never in the way."""

from __future__ import annotations

from pathlib import Path

from headgate.core.context import Principal
from headgate.engine.auditor import BURST, PACE, Auditor
from headgate.stores import open_ledger
from headgate.stores.audit import AuditEntry
from headgate.stores.port import Ledger
from headgate.testing.faulty_ledger import FaultyLedger

WHO = Principal("desk", "ops", "d", frozenset())


async def kept(ledger: Ledger) -> list[AuditEntry]:
    """All entries, oldest first."""
    return [record.entry for record in await ledger.audit_chain(0, 1000)]


async def test_a_flood_of_refusals(tmp_path: Path) -> None:
    """Of ten thousand refusals the first are told, then one in a while, which says how many were not."""
    now = [1000.0]
    async with open_ledger("sqlite://", tmp_path) as ledger:
        auditor = Auditor(ledger, lambda: now[0])
        for _ in range(10_000):
            await auditor.refused(outcome="unauthenticated", details={"path": "/v1/status"})
        assert len(await kept(ledger)) == BURST
        now[0] += PACE
        for _ in range(2):
            await auditor.refused(WHO, outcome="forbidden", details={})
        last = (await kept(ledger))[-1]
    assert (last.kind, last.key, last.team, last.outcome) == ("auth.refused", "desk", "ops", "forbidden")
    assert (last.at, last.details) == (1010.0, {"not_told_before": 10_000 - BURST})


async def test_a_ledger_that_fails(tmp_path: Path) -> None:
    """What cannot be kept holds nobody up."""
    async with open_ledger("sqlite://", tmp_path) as ledger:
        faulty = FaultyLedger(ledger)
        faulty.fail("append_audit")
        auditor = Auditor(faulty.as_ledger())
        await auditor.tell("lost")
        await auditor.tell("kept", WHO, outcome="error")
        assert [entry.kind for entry in await kept(ledger)] == ["kept"]
