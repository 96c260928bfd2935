"""What became of an attempt to make a revision live, and how the audit log tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from headgate.compile.compiler import Compiled
from headgate.compile.diff import NOTHING, Difference, difference
from headgate.compile.plan import Snapshot
from headgate.core.context import Principal
from headgate.engine.conditions import applied
from headgate.engine.host import Host
from headgate.manifest.diagnostics import Diagnostic

_OBJECTS = 100
"""Names of changed objects that the audit log is told at most."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of an attempt."""

    status: Literal["applied", "unchanged", "rejected"]
    revision: str
    difference: Difference = NOTHING
    diagnostics: tuple[Diagnostic, ...] = ()
    keys: tuple[str, ...] = ()
    """API keys that are new (`+name`), gone (`-name`) or other ones (`~name`)."""


def key_changes(old: Snapshot, new: Snapshot) -> tuple[str, ...]:
    """See `Reloaded.keys`."""
    before, after = ({each.key: repr(each) for each in every.principals.values()} for every in (old, new))
    found = difference(before, after)
    marked = (("+", found.added), ("-", found.removed), ("~", found.changed))
    return tuple(mark + name for mark, names in marked for name in names)


async def audited(done: Reloaded, host: Host | None, by: Principal | None) -> Reloaded:
    """The attempt, told by the audit log."""
    if host is not None:
        changed = done.difference
        counts = {"added": len(changed.added), "changed": len(changed.changed), "removed": len(changed.removed)}
        errors = sum(each.severity == "error" for each in done.diagnostics)
        objects = (*changed.added, *changed.changed, *changed.removed)[:_OBJECTS]
        details: dict[str, Any] = {"revision": done.revision, "asked": "key" if by else "watch", **counts}
        details |= {name: list(names) for name, names in (("objects", objects), ("keys", done.keys)) if names}
        details["errors"] = errors
        await host.auditor.tell(f"reload.{done.status}", by, outcome=done.status, details=details)
    return done


async def swapped(host: Host, compiled: Compiled, snapshot: Snapshot) -> Difference:
    """Makes the snapshot live, and closes at once what it took away; what changed."""
    changed = difference(host.snapshot.fingerprints, snapshot.fingerprints)
    host.swap(snapshot)
    host.poke()  # the keeper counts against the budgets of this revision
    applied(snapshot, changed, compiled)
    await host.revisions.withdraw()
    return changed
