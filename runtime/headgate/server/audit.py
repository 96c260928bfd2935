"""The audit log: who did what to which object, and whether the log is still what was written."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter
from litestar.response.base import ASGIResponse

from headgate.core.context import Principal
from headgate.core.errors import Invalid
from headgate.server.edge import Edge
from headgate.server.native import native
from headgate.server.pages import Paging, write_cursor
from headgate.server.runs import Of
from headgate.server.times import moment
from headgate.server.wire import answer
from headgate.stores.audit import AuditFilter, AuditRecord, Link
from headgate.stores.chain import Verdict, verify

ALL, OWN_TEAM = "admin:audit", "audit:read"
"""Who may read all records, and who those of their own team."""
_LOOKS = 10
"""Pieces of the log that are looked through for one page."""

ByKey = Request[Principal, Any, State]
_TIME = "ISO 8601, in UTC unless it says otherwise, or epoch seconds"
Since = Annotated[str | None, QueryParameter(name="from", description=f"Only from this time on: {_TIME}.")]
Until = Annotated[str | None, QueryParameter(name="to", description=f"Only until before this time: {_TIME}.")]


class AuditView(msgspec.Struct, kw_only=True):
    """One record. `key` and `team` did it, empty when nobody is known; `prev` is the hash of the record before."""

    n: int
    at: float
    kind: str
    key: str
    team: str
    agent: str | None
    session: str | None
    run: str | None
    call: str | None
    tool: str | None
    policy: str | None
    outcome: str
    details: dict[str, Any]
    prev: str
    hash: str


class AuditItems(msgspec.Struct):
    """A page of records, newest first; it may hold fewer than there is room for and still have a next one."""

    items: list[AuditView]
    next: str | None


class LinkView(msgspec.Struct):
    """A place in the chain."""

    n: int
    hash: str


class Verified(msgspec.Struct):
    """What a walk along the chain found. `anchor` is the last record that was trimmed, `head` the last one in order;
    `broken` is the number of the first that is not."""

    ok: bool
    records: int
    anchor: LinkView
    head: LinkView
    broken: int | None
    reason: str


def audit_view(record: AuditRecord) -> AuditView:
    """A record."""
    entry = record.entry
    told = {name: getattr(entry, name) for name in entry.__struct_fields__}
    return AuditView(n=record.n, prev=record.prev, hash=record.hash, **told)


def verified(verdict: Verdict) -> Verified:
    """The result of a walk."""
    anchor, head = (LinkView(each.n, each.hash) for each in (verdict.anchor, verdict.head))
    return Verified(verdict.broken is None, verdict.records, anchor, head, verdict.broken, verdict.reason)


def read_link(text: str | None) -> Link | None:
    """A head that somebody kept, `NUMBER:HASH`; raises `Invalid`."""
    if not text:
        return None
    n, _, found = text.partition(":")
    if not (n.isascii() and n.isdigit() and len(n) < 16 and len(found) == 64):
        raise Invalid("a head is written NUMBER:HASH, as /v1/status says it", code="invalid_head")
    return Link(int(n), found)


def _wanted(kind: Of = None, key: Of = None, run: Of = None, since: Since = None, until: Until = None) -> AuditFilter:
    """Which records are asked for."""
    return AuditFilter(kind=kind, key=key, run=run, since=moment(since, "from"), until=moment(until, "to"))


@get(
    "/v1/audit", **native("audit", "The audit log", scopes=(ALL, OWN_TEAM), answers={200: AuditItems}),
    dependencies={"wanted": Provide(_wanted, sync_to_thread=False)},
)  # fmt: skip
async def list_audit(
    request: ByKey, edge: NamedDependency[Edge], paging: NamedDependency[Paging], wanted: NamedDependency[AuditFilter]
) -> ASGIResponse:
    """Records, newest first: of one kind, key or run, from a time on, and until before another. With `audit:read` those
    of the key's own team: what its keys did, and what was done in their runs."""
    team = None if request.user.allows(ALL) else request.user.team
    before = int(paging.after[0]) if paging.after else None
    found: list[AuditRecord] = []
    for _ in range(_LOOKS):
        rest = msgspec.structs.replace(wanted, before=before, limit=paging.limit - len(found))
        page = await edge.host.ledger.audit(rest)
        found += [record for record in page.records if team is None or record.entry.team == team]
        before = page.following
        if before is None or len(found) == paging.limit:
            break
    following = write_cursor((before, "")) if before is not None else None
    return answer(AuditItems(list(map(audit_view, found)), following))


@get("/v1/audit/verify", **native("audit", "Check the audit log", scopes=(ALL,), answers={200: Verified}))
async def verify_audit(
    edge: NamedDependency[Edge],
    head: Annotated[str | None, QueryParameter(description="A head that the log had earlier, NUMBER:HASH.")] = None,
) -> ASGIResponse:
    """Walks the whole chain. Without a head that was kept elsewhere, a missing end is not seen."""
    return answer(verified(await verify(edge.host.ledger, read_link(head))))
