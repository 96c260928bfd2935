"""What an attempt to make a revision live does to the conditions."""

from __future__ import annotations

import structlog

from headgate.compile.compiler import Compiled
from headgate.compile.diff import Difference
from headgate.compile.plan import Snapshot
from headgate.compile.specs import Gateway
from headgate.engine.restart import changed_keys, dotted
from headgate.engine.status import Status
from headgate.manifest.diagnostics import Diagnostic

log = structlog.get_logger("headgate.reload")

_DEMO = "no model provider is configured: answers come from a script"


def accepted(status: Status, snapshot: Snapshot, booted: Gateway | None) -> None:
    """The snapshot is what the tree and the overlay say; the process began with the settings of `booted`."""
    status.live = status.attempted = snapshot.revision
    status.diagnostics = snapshot.warnings
    status.set("Ready", True, "Serving")
    status.set("Accepted", True, "Compiled")
    status.set("Degraded", False, "UpToDate")
    status.set("Demo", snapshot.demo, "Scripted" if snapshot.demo else "Model", _DEMO if snapshot.demo else "")
    stale = [dotted(key) for key in changed_keys(booted, snapshot.gateway)] if booted else []
    verb = "takes" if len(stale) == 1 else "take"
    message = f"{', '.join(stale)} changed and {verb} effect after a restart" if stale else ""
    status.set("RestartRequired", bool(stale), "RestartKeys" if stale else "None", message)


def rejected(status: Status, compiled: Compiled, findings: tuple[Diagnostic, ...]) -> None:
    """The revision before serves on; the log says so, too."""
    errors = [str(each) for each in findings if each.severity == "error"]
    status.attempted, status.diagnostics = compiled.revision, findings
    many = f"{len(errors)} error{'s' if len(errors) > 1 else ''}"
    status.set("Accepted", False, "Invalid", f"{many}; the first: {errors[0]}")
    status.set("Degraded", True, "ReloadRejected", "the tree has errors; the revision before serves on")
    log.warning("manifest.rejected", revision=compiled.revision[:12], errors=len(errors), first=errors[0])


def applied(snapshot: Snapshot, changed: Difference, compiled: Compiled) -> None:
    """The log's line about what an edit changed."""
    log.info(
        "manifest.applied", revision=snapshot.revision[:12], overlay=snapshot.overlay.generation,
        added=changed.added, changed=changed.changed, removed=changed.removed, warnings=len(compiled.warnings),
    )  # fmt: skip
