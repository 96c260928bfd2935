"""What became of an attempt to make a revision live, and how the audit log tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headgate.compile.diff import NOTHING, Difference
from headgate.core.context import Principal
from headgate.engine.host import Host
from headgate.manifest.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of an attempt."""

    status: Literal["applied", "unchanged", "rejected"]
    revision: str
    difference: Difference = NOTHING
    diagnostics: tuple[Diagnostic, ...] = ()


async def audited(done: Reloaded, host: Host | None, by: Principal | None) -> Reloaded:
    """The attempt, told by the audit log."""
    if host is not None:
        changed = done.difference
        counts = {"added": len(changed.added), "changed": len(changed.changed), "removed": len(changed.removed)}
        errors = sum(each.severity == "error" for each in done.diagnostics)
        details = {"revision": done.revision, "asked": "key" if by else "watch", **counts, "errors": errors}
        await host.auditor.tell(f"reload.{done.status}", by, outcome=done.status, details=details)
    return done
