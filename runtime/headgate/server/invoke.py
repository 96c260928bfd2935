"""One request, one answer: an agent is invoked, or talked with in a session that the gateway keeps."""

from __future__ import annotations

from typing import Any

from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from headgate.core.context import Principal
from headgate.core.errors import RequestError
from headgate.core.messages import Message, Text
from headgate.engine.run import Order, Run
from headgate.engine.streams import Subscription
from headgate.server.bodies import ChatOptions, Invoke, InvokeOptions, Talk
from headgate.server.edge import Edge
from headgate.server.execution_views import Accepted, ChatTurn, Invocation, accepted, invocation
from headgate.server.native import native, read
from headgate.server.run_views import account_of
from headgate.server.session_views import summary_of
from headgate.server.start import begin, open_session, session_for, start, streamed, until_settled
from headgate.server.wire import answer
from headgate.stores.records import RunRecord

SCOPES = ("chat", "agents:invoke:{agent_id}")
NO_OPTIONS = InvokeOptions.model_validate({})

ByKey = Request[Principal, Any, State]


@post(
    "/v1/agents/{agent_id:str}/invoke",
    **native(
        "agents", "Have an agent do one task", scopes=SCOPES, body=Invoke, answers={200: Invocation, 202: Accepted},
        errors=(404, 429, 503), streams=True,
    ),
)  # fmt: skip
async def invoke(agent_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Answers when the run has ended; 202 when it waits for somebody, or at once with `async`; a stream with `stream`.

    A failed run is a 200 whose `status` says so.
    """
    body = await read(request, Invoke)
    options = body.options or NO_OPTIONS
    if options.asynchronous and options.stream:
        raise RequestError("stream and async exclude each other", code="streaming_not_supported")
    order = _order(edge, request.user, agent_id, body, options)
    if options.asynchronous:
        run = await start(edge, order, None)
        return answer(accepted(await account_of(edge, run.id)), 202, _headers(run))
    run, subscription = await begin(edge, order, None)
    if options.stream:
        return streamed(edge, run, subscription)
    return await _settled(request, edge, run, subscription)


@post(
    "/v1/agents/{agent_id:str}/chat",
    **native(
        "agents", "Go on with a conversation", scopes=SCOPES, body=Talk, answers={200: ChatTurn, 202: Accepted},
        errors=(404, 409, 429, 503), streams=True,
    ),
)  # fmt: skip
async def talk(agent_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Answers as an invocation does. The gateway keeps the conversation: without `session_id` a new one begins."""
    body = await read(request, Talk)
    options = body.options or ChatOptions()
    order = _order(edge, request.user, agent_id, body, options)
    if body.session_id is None:
        edge.host.check(order)
        session = await open_session(edge, request.user, order.agent)
    else:
        session = await session_for(edge, request.user, body.session_id, order.agent)
    run, subscription = await begin(edge, order, session)
    if options.stream:
        return streamed(edge, run, subscription)
    return await _settled(request, edge, run, subscription)


def _order(edge: Edge, principal: Principal, agent: str, body: Invoke | Talk, options: ChatOptions) -> Order:
    return Order(
        principal=principal,
        agent=edge.snapshot.agent_for(principal, agent),
        messages=(Message("user", (Text(body.message),)),),
        input=body.input,
        timeout=options.timeout_ms / 1000 if options.timeout_ms else None,
        goes_on=True,
    )


async def _settled(request: ByKey, edge: Edge, run: Run, subscription: Subscription) -> ASGIResponse:
    """What there is to say when the run has ended or can only wait."""
    await until_settled(request, subscription)
    account = await account_of(edge, run.id)
    if not account.ended:
        return answer(accepted(account), 202, _headers(run))
    members = invocation(account)
    turn = await _turn(edge, account.run)
    return answer(ChatTurn(**members, **turn) if turn else Invocation(**members), headers=_headers(run))


async def _turn(edge: Edge, run: RunRecord) -> dict[str, Any]:
    """What an answer says of the conversation that it belongs to, if it does."""
    session = await edge.host.sessions.find(run.session_id) if run.session_id else None
    summary = await summary_of(edge, session.record) if session else None
    return {"session_id": run.session_id, "turn_count": summary.runs} if summary else {}


def _headers(run: Run) -> dict[str, str]:
    return {"x-headgate-run": run.id, "x-headgate-revision": run.snapshot.revision}
