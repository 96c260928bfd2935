"""What runs wait for: approvals by people, results of front ends, and what became of calls that were cut off."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response.base import ASGIResponse
from msgspec.structs import replace

from headgate.core.context import Principal
from headgate.core.errors import Invalid, NotFound
from headgate.core.events import WaitKind, WaitState
from headgate.core.messages import ToolResult, failed
from headgate.engine.answers import Polls, cast, decided, delivered, entered, give
from headgate.engine.edits import require_fit
from headgate.server.access import ANSWER, require_answerer, sees_all, sees_wait, wait_of
from headgate.server.bodies import Decide, Reply
from headgate.server.edge import Edge
from headgate.server.native import native, read
from headgate.server.pages import Paging
from headgate.server.runs import Of
from headgate.server.wait_views import WaitPage, WaitView, wait_key, wait_view
from headgate.server.wire import answer
from headgate.stores.waits import Answer, Vote, WaitFilter, WaitRecord

READERS = ("chat", "approvals:read", ANSWER, "admin:runs")
ANSWERERS = ("chat", ANSWER, "admin:runs")

ByKey = Request[Principal, Any, State]
State_ = Literal["pending", "approved", "denied", "answered", "expired", "cancelled"]
OfState = Annotated[State_ | None, QueryParameter(name="state")]


@get("/v1/approvals", **native("approvals", "List approvals", scopes=READERS, answers={200: WaitPage}))
async def list_approvals(
    request: ByKey, edge: NamedDependency[Edge], paging: NamedDependency[Paging], wanted: OfState = None,
    run: Of = None, session: Of = None,
) -> ASGIResponse:  # fmt: skip
    """What runs of the key asked, and what it may answer; newest first."""
    return answer(await _listed(edge, request.user, paging, _filter("approval", wanted, run, session)))


@get("/v1/waits", **native("approvals", "List all that runs wait for", scopes=READERS, answers={200: WaitPage}))
async def list_waits(
    request: ByKey, edge: NamedDependency[Edge], paging: NamedDependency[Paging], wanted: OfState = None,
    run: Of = None, session: Of = None,
) -> ASGIResponse:  # fmt: skip
    """The same for every kind of question: `approval`, `client_tool`, `unknown_outcome` and `input`."""
    return answer(await _listed(edge, request.user, paging, _filter(None, wanted, run, session)))


def _filter(kind: WaitKind | None, state: WaitState | None, run: str | None, session: str | None) -> WaitFilter:
    return WaitFilter(kind=kind, state=state, run_id=run, session_id=session)


async def _listed(edge: Edge, principal: Principal, paging: Paging, wanted: WaitFilter) -> dict[str, Any]:
    """A page of what the principal sees; who answers for everybody sees more than the ledger can tell apart."""
    many = sees_all(principal) or principal.allows(ANSWER)
    viewer = None if many else (principal.key, principal.team)
    found = await edge.host.ledger.waits(replace(wanted, viewer=viewer, after=paging.after, limit=paging.fetched))
    page = paging.page(found, wait_key, lambda wait: wait)
    return page | {"items": [wait_view(each) for each in page["items"] if sees_wait(principal, each)]}


@get(
    "/v1/approvals/{approval_id:str}",
    **native("approvals", "One approval", scopes=READERS, answers={200: WaitView}, errors=(404,)),
)
async def get_approval(approval_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """The question, what people are shown of it, and what was said to it."""
    return answer(wait_view(await approval_of(edge, request.user, approval_id)))


async def approval_of(edge: Edge, principal: Principal, approval_id: str) -> WaitRecord:
    """The approval, if the principal may see it; raises `NotFound`."""
    wait = await wait_of(edge, principal, approval_id, noun="approval")
    if wait.kind != "approval":
        raise NotFound(f"there is no approval {approval_id!r}", code="approval_not_found")
    return wait


@post(
    "/v1/approvals/{approval_id:str}",
    **native(
        "approvals", "Approve or deny", scopes=ANSWERERS, body=Decide, answers={200: WaitView}, errors=(404, 409, 410),
    ),
)  # fmt: skip
async def decide(approval_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """The first answer counts: the second is 409 `already_resolved`, one that comes too late 410 `expired`. Where the
    policy has a quorum, the question stays pending until as many keys approve; one that denies is enough."""
    body, principal = await read(request, Decide), request.user
    wait = await approval_of(edge, principal, approval_id)
    require_answerer(principal, wait)
    if body.remember and (body.decision == "deny" or not wait.may_remember or wait.session_id is None):
        said = 'only an approval in a session, by a policy with remember = "session", can be remembered'
        raise Invalid(said, code="not_rememberable")
    if body.edited_args is not None:
        require_fit(body.edited_args, _schema(edge, wait), wait.tool)
    vote = Vote(
        by=principal.key, decision=body.decision, at=time.time(), reason=body.reason, edited_args=body.edited_args
    )
    polls = Polls(edge.host, edge.host.ledger)
    return answer(wait_view(await cast(wait, vote, polls, team=principal.team, remember=body.remember)))


def _schema(edge: Edge, wait: WaitRecord) -> Mapping[str, Any]:
    """The input schema of the tool, as the live revision has it."""
    plan = edge.snapshot.agents.get(wait.agent)
    tool = plan.tools.get(wait.tool) if plan is not None else None
    if tool is None:
        raise Invalid(f"agent {wait.agent!r} no longer has {wait.tool!r}: deny the call", code="not_editable")
    return tool.definition.input_schema


async def _given(edge: Edge, wait: WaitRecord, said: Answer) -> ASGIResponse:
    return answer(wait_view(await give(said, wait, edge.host)))


@get(
    "/v1/waits/{wait_id:str}",
    **native("approvals", "One thing that a run waits for", scopes=READERS, answers={200: WaitView}, errors=(404,)),
)
async def get_wait(wait_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """The question, whatever its kind."""
    return answer(wait_view(await wait_of(edge, request.user, wait_id)))


@post(
    "/v1/waits/{wait_id:str}/answer",
    **native(
        "approvals", "Answer a run", scopes=ANSWERERS, body=Reply, answers={200: WaitView}, errors=(404, 409, 410),
    ),
)  # fmt: skip
async def reply(wait_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """The result of a client tool, what became of a call that was cut off, or what an MCP server asks for; approvals
    are answered at their own. The first answer counts: the second is 409 `already_resolved`, one that comes too late
    410 `expired`."""
    body, principal = await read(request, Reply), request.user
    wait = await wait_of(edge, principal, wait_id)
    require_answerer(principal, wait)
    match wait.kind:
        case "client_tool":
            said = delivered(wait, _result(body), time.time(), principal)
        case "unknown_outcome":
            said = _outcome(wait, body, principal)
        case "input":
            said = _entered(wait, body, principal)
        case _:
            raise Invalid(f"a question of the kind {wait.kind!r} is not answered here", code="wrong_kind")
    return await _given(edge, wait, said)


def _result(body: Reply) -> ToolResult:
    if body.given not in ({"result"}, {"error"}) or (body.given == {"error"} and body.error is None):
        raise Invalid("a client tool is answered with exactly one of result and error", code="wrong_answer")
    if body.error is not None:
        return failed(body.error.code, body.error.message, retryable=body.error.retryable)
    return ToolResult(structured=body.result)


def _entered(wait: WaitRecord, body: Reply, principal: Principal) -> Answer:
    if body.action is None or body.given - {"action", "content"}:
        raise Invalid(
            "answer with an action: accept (with the content that the form asks for), decline or cancel",
            code="wrong_answer",
        )
    vote = Vote(by=principal.key, decision=body.action, at=time.time())
    return entered(wait, vote, body.content, team=principal.team)


def _outcome(wait: WaitRecord, body: Reply, principal: Principal) -> Answer:
    strange = body.given & {"error", "action", "content"}
    if body.decision is None or strange or ("result" in body.given and body.decision != "done"):
        raise Invalid(
            "answer with a decision: retry, done (with its result, if it had one) or failed", code="wrong_answer"
        )
    vote = Vote(by=principal.key, decision=body.decision, at=time.time(), reason=body.reason)
    result = ToolResult(structured=body.result) if "result" in body.given else None
    return replace(decided(wait, vote, team=principal.team), result=result)
