"""Putting kill switches on and off: documents of the table `kill_switches`."""

from __future__ import annotations

import secrets
from collections.abc import Collection

from headgate.compile.plan import Snapshot
from headgate.compile.switches import KillSwitch
from headgate.core.errors import Conflict, Invalid, NotFound
from headgate.core.glob import is_glob
from headgate.engine.amend import Change
from headgate.engine.visitors import PREFIX
from headgate.manifest.diagnostics import suggest

KIND = "kill_switches"


def switch(kind: str, target: str | None, reason: str, *, by: str, name: str | None = None) -> Change:
    """The change that puts a switch on; raises `Invalid` when the target is missing, or given for the gateway."""
    if (kind == "gateway") == (target is not None):
        said = "the gateway is one: leave the target out" if target is not None else f"which {kind}? name the target"
        raise Invalid(said, code="invalid_target")
    body = {kind: target if target is not None else True, "reason": reason}
    return Change(KIND, name or f"stop-{kind}-{secrets.token_hex(3)}", body, by, new=True)


def off(snapshot: Snapshot, name: str, by: str) -> Change:
    """The change that takes a switch off; raises `NotFound`, and `Conflict` for one of the tree."""
    held = snapshot.overlay.get(KIND, name)
    if held is None and name in snapshot.gateway.kill_switches:
        raise Conflict(f"the tree declares kill switch {name!r}: remove it there", code="declared_in_tree")
    if held is None:
        raise NotFound(f"there is no kill switch {name[:80]!r}", code="kill_switch_not_found")
    return Change(KIND, name, None, by)


def require_target(snapshot: Snapshot, held: KillSwitch) -> None:
    """Raises `Invalid` when the target is a name that nothing has: a misspelt switch would stop nothing in silence."""
    kind, target = held.target
    known = names(snapshot, kind)
    if known is None or is_glob(target) or target in known or (kind == "key" and target.startswith(PREFIX)):
        return
    guess = suggest(target, known)
    hint = f"did you mean {guess!r}?" if guess else f"there are: {', '.join(sorted(known)[:12]) or 'none'}"
    raise Invalid(f"there is no {kind} {target!r}; {hint}", code="invalid_target")


def names(snapshot: Snapshot, kind: str) -> Collection[str] | None:
    """What can be stopped of this kind; None when not all of it is known."""
    principals = snapshot.principals.values()
    tools = {tool for plan in snapshot.agents.values() for tool in plan.tools}
    return {
        "agent": set(snapshot.agents),
        "tool": tools,
        "server": {*snapshot.servers, *(each.server for each in snapshot.tools.values() if each.server)},
        "key": {each.key for each in principals},
        # Tokens of an identity provider may name any team.
        "team": {each.team for each in principals} if snapshot.gateway.auth.oidc is None else None,
    }.get(kind)
