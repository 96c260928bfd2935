"""What is said of an attempt to make a tree live: conditions of the status, lines of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

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


def scrubbed(findings: Iterable[Diagnostic], scrub: Callable[[str], str]) -> tuple[Diagnostic, ...]:
    """The findings without secrets."""
    return tuple(replace(each, message=scrub(each.message), hint=scrub(each.hint)) for each in findings)


def tell_live(status: Status, snapshot: Snapshot, booted: Gateway | None) -> None:
    """The snapshot is live; `booted` is what the process was started with."""
    status.live = status.attempted = snapshot.revision
    status.diagnostics = snapshot.warnings
    status.set("Ready", True, "Serving")
    status.set("Accepted", True, "Compiled")
    status.set("Degraded", False, "UpToDate")
    status.set("Demo", snapshot.demo, "Scripted" if snapshot.demo else "Model", _DEMO if snapshot.demo else "")
    message = _stale(booted, snapshot.gateway)
    status.set("RestartRequired", bool(message), "RestartKeys" if message else "None", message)


def _stale(booted: Gateway | None, now: Gateway) -> str:
    """What takes effect only after a restart, in a sentence."""
    stale = [dotted(key) for key in changed_keys(booted, now)] if booted else []
    verb = "takes" if len(stale) == 1 else "take"
    return f"{', '.join(stale)} changed and {verb} effect after a restart" if stale else ""


def tell_rejected(status: Status, compiled: Compiled, findings: tuple[Diagnostic, ...]) -> None:
    """The tree is not made live; what was live before is."""
    errors = [str(each) for each in findings if each.severity == "error"]
    status.attempted, status.diagnostics = compiled.revision, findings
    said = f"{len(errors)} error{'s' if len(errors) > 1 else ''}; the first: {errors[0]}"
    status.set("Accepted", False, "Invalid", said)
    status.set("Degraded", True, "ReloadRejected", "the tree has errors; the revision before serves on")
    log.warning("manifest.rejected", revision=compiled.revision[:12], errors=len(errors), first=errors[0])


def log_applied(snapshot: Snapshot, changed: Difference, compiled: Compiled) -> None:
    """The log's line about an edit that is live."""
    log.info(
        "manifest.applied", revision=snapshot.revision[:12], added=changed.added, changed=changed.changed,
        removed=changed.removed, warnings=len(compiled.warnings),
    )  # fmt: skip
