"""What an attempt to make a revision live does to the conditions."""

from __future__ import annotations

import structlog

from headgate.compile.compiler import Compiled
from headgate.compile.diff import Difference
from headgate.compile.plan import Snapshot
from headgate.compile.specs import Gateway
from headgate.core.messages import ErrorInfo
from headgate.engine.restart import changed_keys, dotted
from headgate.engine.status import Condition, Status
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
    documents_fit(status, snapshot)


def documents_fit(status: Status, snapshot: Snapshot) -> None:
    """Whether all that the API has made counts."""
    aside = [f"{each.document.path}: {each.reason}" for each in snapshot.aside]
    held = status.conditions.get("DocumentsFit")
    if not snapshot.overlay.documents and held is None:
        return
    message = f"set aside: {'; '.join(aside)}" if aside else ""
    if message and (held is None or held.message != message):
        log.warning("overlay.set_aside", documents=[each.document.path for each in snapshot.aside], first=aside[0])
    status.set("DocumentsFit", not aside, "SetAside" if aside else "AllFit", message)


def servers_ready(snapshot: Snapshot, started: float) -> Condition | None:
    """Whether an MCP server is down or was not made yet, as it is now; None of a gateway without any. One that begins
    or comes back is not down yet."""
    health = {name: each.health for name, each in sorted(snapshot.servers.items())}
    mcp = snapshot.gateway.mcp
    missing = [name for name in mcp.from_api if name not in {*mcp.servers, *health}]
    down = {name: each for name, each in health.items() if each.state == "down"}
    if down:
        since = min(each.since for each in down.values())
        said = "; ".join(_down(name, each.error) for name, each in down.items())
        return Condition("ServersReady", False, "ServersDown", f"MCP servers are down: {said}", since)
    if missing:
        message = f"nobody has made these MCP servers through the API yet: {', '.join(missing)}"
        return Condition("ServersReady", False, "ServersMissing", message, started)
    since = max((each.since for each in health.values()), default=started)
    return Condition("ServersReady", True, "NoneDown", "", since) if health else None


def _down(name: str, error: ErrorInfo | None) -> str:
    return f"{name} ({error.code}: {error.message})" if error is not None else name


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
