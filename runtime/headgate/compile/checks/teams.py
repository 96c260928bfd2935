"""Rules of files that belong to a team: their keys do not reach beyond it."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.compile.decode import touches
from headgate.compile.draft import Draft
from headgate.core.kind import Finding
from headgate.manifest.diagnostics import Diagnostic

OWN = ("chat", "agents", "executions:read", "sessions:read", "approvals:read", "status:read", "mcp")
"""Scopes that reach no further than what belongs to the key itself."""


def check_team_keys(draft: Draft) -> Iterator[Diagnostic]:
    """Keys of a team's file have scopes for their own things alone."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    for name, key in draft.gateway.auth.keys.items():
        at = ("auth", "keys", name, "scopes")
        team = draft.team_of("auth", "keys", name)
        if team is None or touches(draft.gateway_site.silent, at):
            continue
        for index, scope in enumerate(key.scopes):
            if not any(scope == each or scope.startswith(f"{each}:") for each in OWN):
                said = f"key {name!r} is declared by team {team!r}, and {scope!r} reaches beyond the team"
                hint = f"grant it in a file without 'team'; such a key may have: {', '.join(OWN)}"
                yield from draft.gateway_site.diagnose(Finding((*at, index), "HG1401", said, hint))
