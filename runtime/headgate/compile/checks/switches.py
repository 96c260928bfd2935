"""Rules of kill switches."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.compile.draft import Draft
from headgate.compile.naming import unknown
from headgate.compile.switches import TARGETS, KillSwitch
from headgate.core.glob import is_glob
from headgate.core.kind import Finding
from headgate.manifest.diagnostics import Diagnostic

TABLE = "kill_switches"


def check_switches(draft: Draft) -> Iterator[Diagnostic]:
    """Each stops one thing. What it stops may be gone for now: the switch stays, and says so."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    for name, switch in draft.gateway.kill_switches.items():
        for finding in _switch(draft, name, switch):
            yield from draft.gateway_site.diagnose(finding)


def _switch(draft: Draft, name: str, switch: KillSwitch) -> Iterator[Finding]:
    targets = list(switch.targets)
    if len(targets) != 1:
        given = ", ".join(kind for kind, _ in targets) or "nothing"
        message = f"kill switch {name!r} names {given}; it stops exactly one thing"
        yield Finding((TABLE, name), "HG1004", message, f"give one of {', '.join(TARGETS)}")
        return
    ((kind, target),) = targets
    known = {"agent": draft.agent_names, "tool": draft.tool_names}.get(kind)
    if known is not None and not is_glob(target) and target not in known and "__" not in target:
        found = unknown(kind, target, known, (TABLE, name, kind))
        yield Finding(found.key, "HG1206", f"{found.message}: the switch stops nothing", found.hint, severity="warning")
