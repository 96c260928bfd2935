"""Rules of the gateway itself: keys, addresses, the store."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator

from headgate.compile.draft import Draft
from headgate.core.kind import Finding
from headgate.manifest.diagnostics import Diagnostic
from headgate.net.egress import Egress

Located = Iterator[Diagnostic]

DEMO_KEYS = frozenset({"local-demo-key"})
"""Keys that are printed in documents: good for loopback only."""


def check_keys(draft: Draft) -> Located:
    """No two keys are the same, and a key from the documents stays on loopback."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    held = Counter(each.key for each in draft.gateway.auth.keys.values())
    wide = not is_loopback(draft.gateway.server.host)
    for name, key in draft.gateway.auth.keys.items():
        at = ("auth", "keys", name, "key")
        if held[key.key] > 1:
            yield draft.gateway_site.diagnose(
                Finding(at, "HG1203", f"key {name!r} is the same as another", "give each its own")
            )
        if wide and key.key in DEMO_KEYS:
            message = f"key {name!r} is the demo key, and the server binds {draft.gateway.server.host}"
            yield draft.gateway_site.diagnose(
                Finding(at, "HG1404", message, "set a key of your own, or bind 127.0.0.1")
            )


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
        yield draft.gateway_site.diagnose(
            Finding(("egress", "allow", *finding.key), finding.code, finding.message, finding.hint)
        )


def check_store(draft: Draft) -> Located:
    """The store is one that this build has."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    scheme = draft.gateway.store.url.partition(":")[0]
    if scheme in ("postgresql", "postgres"):
        message = "the PostgreSQL store is not in this build"
        yield draft.gateway_site.diagnose(Finding(("store", "url"), "HG1007", message, "use sqlite:///PATH"))
    elif scheme != "sqlite":
        yield draft.gateway_site.diagnose(
            Finding(("store", "url"), "HG1004", f"unknown store {scheme!r}", "use sqlite:///PATH")
        )
