"""Who the keys of a revision stand for."""

from __future__ import annotations

from collections.abc import Mapping

from headgate.compile.auth import Key, seconds_of
from headgate.core.context import Principal


def principals_of(keys: Mapping[str, Key]) -> dict[str, Principal]:
    """Each principal by the digest of its secret; a key that is being rotated is there with both."""
    out = {}
    for name, key in keys.items():
        ends = seconds_of(key.expires_at) if key.expires_at is not None else None
        out[key.digest] = _principal(name, key, key.digest, ends)
        if key.previous is not None:
            digest, until = key.previous.key_hash.removeprefix("sha256:"), seconds_of(key.previous.until)
            out.setdefault(digest, _principal(name, key, digest, until if ends is None else min(until, ends)))
    return out


def _principal(name: str, key: Key, digest: str, expires: float | None) -> Principal:
    return Principal(name, key.team, digest, frozenset(key.scopes), key.agents, key.tools, key.profile, expires)
