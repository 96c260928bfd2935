"""What the audit log tells that belongs to no run: who was not let in, who changes the gateway, and which revisions
became live."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog

from headgate.core.context import Principal
from headgate.core.errors import StoreError
from headgate.stores.audit import AuditEntry
from headgate.stores.port import Ledger

log = structlog.get_logger("headgate.audit")

BURST = 30
"""Refusals that are told at once at most."""
PACE = 10.0
"""Seconds for one refusal more: a year of knocking stays below two gigabytes."""


class Auditor:
    """Adds records by themselves; what cannot be kept is in the log of the process, and holds nobody up."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._clock = clock
        self._left = float(BURST)
        self._filled = clock()
        self._untold = 0

    async def tell(self, kind: str, by: Principal | None = None, **rest: Any) -> None:
        """Something was done, by a principal or by the gateway itself."""
        key, team = (by.key, by.team) if by is not None else ("", "")
        entry = AuditEntry(at=self._clock(), kind=kind, key=key, team=team, **rest)
        try:
            await self._ledger.append_audit([entry])
        except StoreError as error:
            log.error("audit.not_kept", kind=kind, outcome=entry.outcome, code=error.code)

    async def refused(self, by: Principal | None = None, *, outcome: str, details: dict[str, Any]) -> None:
        """Somebody was not let in. Of many at once the first are told, and how many were not."""
        now = self._clock()
        self._left = min(float(BURST), self._left + (now - self._filled) / PACE)
        self._filled = now
        if self._left < 1:
            self._untold += 1
            return
        self._left -= 1
        untold, self._untold = self._untold, 0
        more = {"not_told_before": untold} if untold else {}
        await self.tell("auth.refused", by, outcome=outcome, details=details | more)
