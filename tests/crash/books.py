"""What must be true of the audit log and of the usage when gateways were killed: they say what was committed, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping

from headgate.stores.chain import verify
from headgate.stores.port import Ledger
from headgate.stores.usage import UsageFilter
from tests.crash.record import Known

_LATER = 1e11
_ONCE = ("run.created", "run.ended")


async def misbooked(ledger: Ledger, now: Mapping[str, Known]) -> AsyncIterator[str]:
    """A sentence for each thing that is wrong."""
    verdict = await verify(ledger)
    if verdict.broken is not None:
        yield f"the audit log is broken at {verdict.broken}: {verdict.reason}"
    told: Counter[tuple[str | None, str]] = Counter()
    after = 0
    while page := await ledger.audit_chain(after, 1000):
        told.update((record.entry.run, record.entry.kind) for record in page)
        after = page[-1].n
    sums = await ledger.usage(UsageFilter(since=0.0, until=_LATER, group="run"))
    used = {each.name: each.usage for each in sums}
    for run, found in now.items():
        wanted = {**dict.fromkeys(_ONCE, 1), "tool.called": sum(step.kind == "tool" for step in found.steps)}
        seen = {kind: told[run, kind] for kind in wanted}
        if seen != wanted:
            yield f"{run}: the audit log tells {seen}, and there were {wanted}"
        if found.run.usage.total and used.get(run) != found.run.usage:
            yield f"{run}: {found.run.usage} was used, and {used.get(run)} is booked"
