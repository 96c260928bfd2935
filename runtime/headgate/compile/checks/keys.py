"""Rules of API keys: their secrets, their scopes, and what they name."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.compile.auth import Key
from headgate.compile.checks.gateway import is_loopback
from headgate.compile.decode import touches
from headgate.compile.draft import Draft, Site
from headgate.compile.naming import check_names, unknown
from headgate.compile.offer import check_tools
from headgate.core import scopes
from headgate.core.apikeys import digest_of
from headgate.core.kind import Finding
from headgate.manifest.diagnostics import Diagnostic, suggest

Located = Iterator[Diagnostic]

DEMO_KEYS = frozenset({digest_of("local-demo-key")})
"""Digests of keys that are printed in documents: good for loopback only."""


def check_keys(draft: Draft) -> Located:
    """Every key has one secret, no two have the same, and one from the documents stays on loopback."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    holders: dict[str, str] = {}
    host = draft.gateway.server.host
    wide = draft.knows("server", "host") and not is_loopback(host)
    for name, key in draft.gateway.auth.keys.items():
        at = ("auth", "keys", name, "key" if key.key_hash is None else "key_hash")
        if touches(draft.gateway_site.silent, at):
            continue
        for finding in _secret(name, key, holders, host if wide else ""):
            yield from draft.gateway_site.diagnose(finding)


def _secret(name: str, key: Key, holders: dict[str, str], wide: str) -> Iterator[Finding]:
    at = ("auth", "keys", name, "key")
    if key.key is None and key.key_hash is None:
        yield Finding(at, "HG1005", f"missing key 'key' in auth.keys.{name}", "give it, or 'key_hash'")
        return
    if key.key is not None and key.key_hash is not None:
        yield Finding((*at[:3], "key_hash"), "HG1206", "'key' and 'key_hash' are both given", "remove one of them")
        return
    at = at if key.key is not None else (*at[:3], "key_hash")
    first = holders.setdefault(key.digest, name)
    if first != name:
        message = f"key {name!r} has the same value as key {first!r}"
        yield Finding(at, "HG1203", message, "give each a secret of its own")
    if wide and key.digest in DEMO_KEYS:
        message = f"key {name!r} is the public demo key, and the server binds {wide}"
        yield Finding(at, "HG1404", message, "set a key of your own, or bind 127.0.0.1")


def check_key_names(draft: Draft) -> Located:
    """Scopes, agents, tools and profiles that keys name exist."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    for name, key in draft.gateway.auth.keys.items():
        for finding in _key_names(draft, name, key):
            yield from draft.gateway_site.diagnose(finding)


def _key_names(draft: Draft, name: str, key: Key) -> Iterator[Finding]:
    at = ("auth", "keys", name)
    for index, scope in enumerate(key.scopes):
        yield from check_scope(draft, scope, (*at, "scopes", index))
    yield from check_names("agent", _narrowed(key.agents), draft.agent_names, (*at, "agents"))
    yield from check_tools(draft, _narrowed(key.tools), (*at, "tools"))
    profiles = {each for agent in draft.agents.values() for each in _profiles(agent.site)}
    unread = any(what == "agent" for what, _ in draft.broken)
    if key.profile is not None and key.profile not in profiles and not unread:
        yield unknown("profile", key.profile, profiles, (*at, "profile"))


def check_scope(draft: Draft, scope: str, at: tuple[str | int, ...]) -> Iterator[Finding]:
    """A scope that nothing asks for is misspelt, and one for a single agent names one that exists."""
    agent = scopes.agent_of(scope)
    if scope in scopes.LATER:
        message = f"scope {scope!r} needs {scopes.LATER[scope]}, which this build does not have"
        yield Finding(at, "HG1007", message, "remove it")
    elif not scopes.known(scope):
        guess = suggest(scope, scopes.SCOPES)
        hint = f"did you mean {guess!r}?" if guess else "docs/keys.md lists them"
        yield Finding(at, "HG1201", f"there is no scope {scope!r}", hint)
    elif agent is not None and agent not in draft.agent_names:
        yield unknown("agent", agent, draft.agent_names, at)


def _narrowed(globs: tuple[str, ...]) -> tuple[str, ...]:
    return () if globs == ("*",) else globs


def _profiles(site: Site) -> list[str]:
    held = site.body.get("profiles")
    return list(held) if isinstance(held, dict) else []
