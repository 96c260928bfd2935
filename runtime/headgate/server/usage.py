"""What model turns used, and what that cost."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response.base import ASGIResponse

from headgate.core.context import Principal
from headgate.core.errors import Forbidden
from headgate.server.audit import Since, Until
from headgate.server.edge import Edge
from headgate.server.native import native
from headgate.server.times import moment
from headgate.server.usage_views import UsageReport, as_csv, usage_report
from headgate.server.wire import answer
from headgate.stores.usage import UsageFilter

OWN, ALL = "usage:read", "admin:usage"
DAYS = 30
"""Days that are reported when no time is asked for."""

ByKey = Request[Principal, Any, State]
By = Literal["agent", "key", "team", "model", "day"]


@get("/v1/usage", **native("usage", "Tokens and cost", scopes=(OWN, ALL), answers={200: UsageReport}))
async def usage(
    request: ByKey, edge: NamedDependency[Edge],
    group_by: Annotated[By | None, QueryParameter(description="What each sum is of.")] = None,
    key: Annotated[str | None, QueryParameter(description="Only of this key; with `admin:usage`.")] = None,
    since: Since = None, until: Until = None,
    form: Annotated[Literal["json", "csv"], QueryParameter(name="format")] = "json",
) -> ASGIResponse:  # fmt: skip
    """The sums of the key's own turns, or with `admin:usage` of all; of the last thirty days unless times are given."""
    end = moment(until, "to") or time.time()
    start = moment(since, "from")
    wanted = UsageFilter(
        since=end - DAYS * 86400 if start is None else start, until=end, key=_whose(request.user, key), group=group_by
    )
    report = usage_report(wanted, await edge.host.ledger.usage(wanted))
    if form == "csv":
        headers = {"content-disposition": 'attachment; filename="usage.csv"'}
        return ASGIResponse(body=as_csv(report).encode(), media_type="text/csv", headers=headers)
    return answer(report)


def _whose(principal: Principal, key: str | None) -> str | None:
    if principal.allows(ALL):
        return key
    if key not in (None, principal.key):
        raise Forbidden(f"the usage of other keys takes the scope {ALL}", code="insufficient_scope")
    return principal.key
