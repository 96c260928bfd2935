"""The same runs for clients of agents-gateway, which call them executions."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response.base import ASGIResponse

from headgate.core.context import Principal
from headgate.server.access import owner_of, run_of
from headgate.server.edge import Edge
from headgate.server.execution_views import Execution, execution
from headgate.server.native import native
from headgate.server.run_views import Cancelled, account_of
from headgate.server.runs import CANCELLERS, READERS, Of, cancelled
from headgate.server.wire import answer
from headgate.stores.records import RunFilter, RunRecord

ByKey = Request[Principal, Any, State]


@get("/v1/executions", **native("executions", "List executions", scopes=READERS, answers={200: list[Execution]}))
async def list_executions(
    request: ByKey, edge: NamedDependency[Edge], agent_id: Of = None, session_id: Of = None,
    root_execution_id: Of = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500, description="Items, at most.")] = 50,
) -> ASGIResponse:  # fmt: skip
    """The newest ones; `/v1/runs` has the rest, in pages. Here `message`, `result` and the calls are null. Each is its
    own root."""
    wanted = RunFilter(principal=owner_of(request.user), agent=agent_id, session_id=session_id, limit=limit)
    if root_execution_id is not None:
        runs = await _of(edge, root_execution_id, wanted)
    else:
        runs = await edge.host.ledger.runs(wanted)
    return answer([execution(run) for run in runs])


async def _of(edge: Edge, root: str, wanted: RunFilter) -> tuple[RunRecord, ...]:
    """The runs below this one, which are itself alone, if the filter lets it through."""
    run = await edge.host.ledger.run(root)
    asked = {"principal": wanted.principal, "agent": wanted.agent, "session_id": wanted.session_id}
    fits = run is not None and all(value in (None, getattr(run, name)) for name, value in asked.items())
    return (run,) if run is not None and fits else ()


@get(
    "/v1/executions/{execution_id:str}",
    **native("executions", "One execution", scopes=READERS, answers={200: Execution}, errors=(404,)),
)
async def get_execution(execution_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """The execution, with its message and its result."""
    record = await run_of(edge, request.user, execution_id, noun="execution")
    account = await account_of(edge, record.id)
    return answer(execution(account.run, account))


@post(
    "/v1/executions/{execution_id:str}/cancel",
    **native("executions", "End an execution", scopes=CANCELLERS, answers={200: Cancelled}, errors=(404, 409)),
)
async def cancel_execution(execution_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Ends it; 409 `invalid_state` when it has ended."""
    record = await run_of(edge, request.user, execution_id, noun="execution")
    return answer(await cancelled(edge, request.user, record))
