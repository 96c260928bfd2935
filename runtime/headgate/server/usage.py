"""What model turns used, and what that cost."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter
from litestar.response.base import ASGIResponse

from headgate.core.context import Principal
from headgate.core.errors import Forbidden
from headgate.server.audit import Since, Until
from headgate.server.edge import Edge
from headgate.server.native import native
from headgate.server.pages import Paging
from headgate.server.runs import Of
from headgate.server.times import moment
from headgate.server.usage_views import UsageReport, as_csv, usage_report
from headgate.server.wire import answer
from headgate.stores.usage import UsageFilter

OWN, ALL = "usage:read", "admin:usage"
DAYS = 30
"""Days that are reported when no time is asked for."""

ByKey = Request[Principal, Any, State]
By = Literal["agent", "key", "team", "provider", "model", "session", "run", "day"]


def _which(
    key: Annotated[str | None, QueryParameter(description="Only of this key; of others with `admin:usage`.")] = None,
    team: Of = None, agent: Of = None, provider: Of = None, model: Of = None, session: Of = None, run: Of = None,
) -> dict[str, str | None]:  # fmt: skip
    """Whose turns are asked for."""
    return {
        "key": key, "team": team, "agent": agent, "provider": provider, "model": model, "session": session, "run": run,
    }  # fmt: skip


def _span(since: Since = None, until: Until = None) -> tuple[float, float]:
    """From when until before when."""
    end, start = moment(until, "to") or time.time(), moment(since, "from")
    return (end - DAYS * 86400 if start is None else start, end)


@get(
    "/v1/usage", **native("usage", "Tokens and cost", scopes=(OWN, ALL), answers={200: UsageReport}),
    dependencies={"which": Provide(_which, sync_to_thread=False), "span": Provide(_span, sync_to_thread=False)},
)  # fmt: skip
async def usage(
    request: ByKey, edge: NamedDependency[Edge], paging: NamedDependency[Paging],
    which: NamedDependency[dict[str, str | None]], span: NamedDependency[tuple[float, float]],
    group_by: Annotated[By | None, QueryParameter(description="What each sum is of.")] = None,
    form: Annotated[Literal["json", "csv"], QueryParameter(name="format")] = "json",
) -> ASGIResponse:  # fmt: skip
    """The sums of the key's own turns, or with `admin:usage` of all; of the last thirty days unless times are given.
    The items come in pages, the total is of all, and a CSV is whole."""
    rest = which | {"key": _whose(request.user, which["key"])}
    wanted = UsageFilter(since=span[0], until=span[1], group=group_by, **rest)
    report = usage_report(wanted, await edge.host.ledger.usage(wanted))
    if form == "csv":
        headers = {"content-disposition": 'attachment; filename="usage.csv"'}
        return ASGIResponse(body=as_csv(report).encode(), media_type="text/csv", headers=headers)
    return answer(msgspec.structs.replace(report, **paging.slice(report.items, lambda _place, item: item)))


def _whose(principal: Principal, key: str | None) -> str | None:
    if principal.allows(ALL):
        return key
    if key not in (None, principal.key):
        raise Forbidden(f"the usage of other keys takes the scope {ALL}", code="insufficient_scope")
    return principal.key
