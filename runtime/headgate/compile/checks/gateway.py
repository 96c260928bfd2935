"""Rules of the gateway itself: addresses, the store."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from headgate.compile.draft import Draft
from headgate.core.kind import Finding
from headgate.core.scalars import duration_text
from headgate.manifest.diagnostics import Diagnostic
from headgate.net.egress import Egress

Located = Iterator[Diagnostic]

_SQLITE = re.compile(r"sqlite://(?:|/:memory:|/[^?]*[^?/])")
_STORE = "write sqlite:///relative.db or sqlite:////absolute.db"


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
