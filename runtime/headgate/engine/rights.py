"""Nobody gives away more than they have."""

from __future__ import annotations

from collections.abc import Iterable

from headgate.compile.auth import Key, seconds_of
from headgate.core.context import Principal
from headgate.core.errors import Forbidden
from headgate.core.glob import covers

ALL = "admin:*"
"""Who holds this is not held back."""


def require_within(principal: Principal, key: Key) -> None:
    """Raises `Forbidden` unless the key may do nothing that the principal may not."""
    if principal.allows(ALL):
        return
    beyond = [f"scope {scope}" for scope in key.scopes if not principal.allows(scope)]
    beyond += [f"agents {glob}" for glob in _outside(key.agents, principal.agents)]
    beyond += [f"tools {glob}" for glob in _outside(key.tools, principal.tools)]
    if key.team != principal.team:
        beyond.append(f"team {key.team}")
    if principal.profile is not None and key.profile != principal.profile:
        beyond.append(f"a profile other than {principal.profile}")
    if principal.expires is not None and (key.expires_at is None or seconds_of(key.expires_at) > principal.expires):
        beyond.append("a later end than its own")
    if beyond:
        said = f"key {principal.key!r} cannot give what it does not have: {', '.join(beyond)}"
        raise Forbidden(said, code="beyond_own_rights")


def _outside(wanted: Iterable[str], own: Iterable[str]) -> list[str]:
    """The globs that may cover something that no glob of one's own does.

    A glob of one's own that covers another glob as if that were a name covers all that this one covers.
    """
    held = tuple(own)
    return [glob for glob in wanted if not any(covers(each, glob) for each in held)]
