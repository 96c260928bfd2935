"""Whether the audit log is still what was written: walks its chain and says where it is broken.

What the chain cannot tell by itself is that its end is missing: a shorter log is a whole log, too. That takes a head
that somebody keeps elsewhere; `known` is such a one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from headgate.core.errors import StoreError
from headgate.stores.audit import TRIMMED, AuditRecord, Ends, Link, hash_of

_PAGE = 200


class Chained(Protocol):
    """Where an audit log is read: a ledger, or one that is read beside its gateway."""

    async def audit_chain(self, after: int, limit: int, /) -> tuple[AuditRecord, ...]:
        """See `RecordsLedger.audit_chain`."""
        ...

    async def audit_ends(self) -> Ends:
        """See `RecordsLedger.audit_ends`."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk found: how many records were in order, where it began and ended; `broken` says at which number the
    first one is not, and `reason` why."""

    records: int
    anchor: Link
    head: Link
    broken: int | None = None
    reason: str = ""


async def verify(log: Chained, known: Link | None = None) -> Verdict:
    """Walks the whole chain while work goes on; `known` is a head that the log had earlier. Raises `StoreError`."""
    walk = _Walk(log, (await log.audit_ends()).anchor, known)
    return await walk.run()


class _Walk:
    """One way along the chain: `at` is the last record that was in order, `behind` the newest anchor that was met."""

    def __init__(self, log: Chained, anchor: Link, known: Link | None) -> None:
        self._log = log
        self._anchor = self._behind = self._at = anchor
        self._known = known
        self._records = 0
        self._told = {Link()}

    async def run(self) -> Verdict:
        """To the end, or to the first break."""
        if self._known is not None and self._known.n == self._at.n and self._known.hash != self._at.hash:
            return self._verdict(self._at.n, "its hash is another one than the head that is known")
        while True:
            try:
                page = await self._log.audit_chain(self._at.n, _PAGE)
            except StoreError as error:
                return self._verdict(self._at.n + 1, f"it, or one soon behind it, cannot be read: {error.message}")
            for record in page:
                reason = await self._wrong(record)
                if reason:
                    return self._verdict(record.n, reason)
                self._at, self._records = record.link, self._records + 1
                if record.entry.kind == TRIMMED:
                    self._told.add(Link(record.entry.details.get("last", 0), record.entry.details.get("hash", "")))
            if not page:
                return self._ended()

    async def _wrong(self, record: AuditRecord) -> str:
        if record.n != self._at.n + 1:
            await self._skip(record)
        if record.n != self._at.n + 1:
            return f"records {self._at.n + 1} to {record.n - 1} before it are missing"
        if record.hash != hash_of(self._at.hash, record.text):
            return "its content, or its place behind the record before it, is not what was hashed"
        if not record.whole:
            return "its columns say something else than its content"
        if self._known is not None and self._known.n == record.n and self._known.hash != record.hash:
            return "its hash is another one than the head that is known"
        return ""

    async def _skip(self, record: AuditRecord) -> None:
        """The beginning may just have been trimmed: then the walk goes on behind the new anchor."""
        anchor = (await self._log.audit_ends()).anchor
        if anchor.n == record.n - 1 and anchor.n > self._at.n:
            self._at = self._behind = anchor

    def _ended(self) -> Verdict:
        if self._behind not in self._told:  # a trimming writes down where it ended, in the same transaction
            reason = f"no record tells that those up to {self._behind.n} were trimmed: its beginning is missing"
            return self._verdict(self._behind.n + 1, reason)
        if self._known is not None and self._known.n > self._at.n:
            reason = f"the log ends with record {self._at.n}, and {self._known.n} was its head: its end is missing"
            return self._verdict(self._at.n + 1, reason)
        return self._verdict(None, "")

    def _verdict(self, broken: int | None, reason: str) -> Verdict:
        return Verdict(self._records, self._anchor, self._at, broken, reason)
