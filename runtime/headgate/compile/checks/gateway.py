"""Rules of the gateway itself: keys, addresses, the store."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from headgate.compile.decode import touches
from headgate.compile.draft import Draft, Site
from headgate.compile.naming import check_names, unknown
from headgate.compile.offer import check_tools
from headgate.compile.specs import Key
from headgate.core.kind import Finding
from headgate.core.scalars import duration_text
from headgate.manifest.diagnostics import Diagnostic
from headgate.net.egress import Egress

Located = Iterator[Diagnostic]

DEMO_KEYS = frozenset({"local-demo-key"})
"""Keys that are printed in documents: good for loopback only."""

_SQLITE = re.compile(r"sqlite://(?:|/:memory:|/[^?]*[^?/])")
_STORE = "write sqlite:///relative.db or sqlite:////absolute.db"


def check_keys(draft: Draft) -> Located:
    """No two keys are the same, and a key from the documents stays on loopback."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    holders: dict[str, str] = {}
    host = draft.gateway.server.host
    wide = draft.knows("server", "host") and not is_loopback(host)
    for name, key in draft.gateway.auth.keys.items():
        at = ("auth", "keys", name, "key")
        if touches(draft.gateway_site.silent, at):
            continue
        first = holders.setdefault(key.key, name)
        if first != name:
            message = f"key {name!r} has the same value as key {first!r}"
            yield from draft.gateway_site.diagnose(Finding(at, "HG1203", message, "give each a secret of its own"))
        if wide and key.key in DEMO_KEYS:
            message = f"key {name!r} is the public demo key, and the server binds {host}"
            hint = "set a key of your own, or bind 127.0.0.1"
            yield from draft.gateway_site.diagnose(Finding(at, "HG1404", message, hint))


def check_key_names(draft: Draft) -> Located:
    """Agents, tools and profiles that keys name exist."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    for name, key in draft.gateway.auth.keys.items():
        for finding in _key_names(draft, name, key):
            yield from draft.gateway_site.diagnose(finding)


def _key_names(draft: Draft, name: str, key: Key) -> Iterator[Finding]:
    at = ("auth", "keys", name)
    yield from check_names("agent", _narrowed(key.agents), draft.agent_names, (*at, "agents"))
    yield from check_tools(draft, _narrowed(key.tools), (*at, "tools"))
    profiles = {each for agent in draft.agents.values() for each in _profiles(agent.site)}
    unread = any(what == "agent" for what, _ in draft.broken)
    if key.profile is not None and key.profile not in profiles and not unread:
        yield unknown("profile", key.profile, profiles, (*at, "profile"))


def _narrowed(globs: tuple[str, ...]) -> tuple[str, ...]:
    return () if globs == ("*",) else globs


def _profiles(site: Site) -> list[str]:
    held = site.body.get("profiles")
    return list(held) if isinstance(held, dict) else []


def is_loopback(host: str) -> bool:
    """Whether an address to bind is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_egress(draft: Draft) -> Located:
    """Entries of the egress list can be read."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    for finding in Egress.check(draft.gateway.egress.allow):
        key = ("egress", "allow", *finding.key)
        yield from draft.gateway_site.diagnose(Finding(key, finding.code, finding.message, finding.hint))


def check_store(draft: Draft) -> Located:
    """The store is one that this build has, and its URL names a file; it is not shown, for it may hold a password."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    url = draft.gateway.store.url
    scheme, key = url.partition(":")[0].partition("+")[0], ("store", "url")
    if scheme in ("postgresql", "postgres"):
        message = "a PostgreSQL URL needs the PostgreSQL store, which this build does not have"
        yield from draft.gateway_site.diagnose(Finding(key, "HG1007", message, _STORE))
    elif not _SQLITE.fullmatch(url):
        said = "does not name a database file" if url.startswith("sqlite:") else "does not begin with sqlite://"
        yield from draft.gateway_site.diagnose(Finding(key, "HG1004", f"the store's URL {said}", _STORE))


def check_retention(draft: Draft) -> Located:
    """Nothing is to be kept longer than what it belongs to."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    kept = draft.gateway.retention
    if kept.events > kept.sessions and draft.knows("retention", "sessions"):
        message = "events are not kept that long: they are deleted with their session"
        hint = f"at most {duration_text(kept.sessions)}, as 'sessions' says"
        yield from draft.gateway_site.diagnose(
            Finding(("retention", "events"), "HG1206", message, hint, severity="warning")
        )
