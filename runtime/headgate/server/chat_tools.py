"""The compatible chat API's answers to questions of a run: `/api/chat/tool-approval`, `/api/chat/tool-result`.

Order of checks, which clients rely on: body, token, call, state, nonce, time. A question is found by its session and
its call; the nonce proves that who answers was told it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.response.base import ASGIResponse

from headgate.core.errors import Conflict, RequestError
from headgate.core.events import WaitKind
from headgate.core.messages import ToolResult, failed
from headgate.engine.answers import Polls, cast, delivered
from headgate.server.access import require_answerer
from headgate.server.chat import authenticated, detail
from headgate.server.chat_bodies import Approval, Refused, Rejected, Result, Submission, read
from headgate.server.edge import Edge
from headgate.server.wire import answer, dump, printable
from headgate.stores.waits import Answer, Vote, WaitFilter, WaitRecord

AnyRequest = Request[Any, Any, State]

_CODE = re.compile(r"[a-z][a-z0-9_.]{0,63}")
UNKNOWN = "Unknown tool_call_id"
_DONE: Mapping[WaitKind, str] = {"approval": "Approval already submitted", "client_tool": "Result already submitted"}
_WRONG: Mapping[WaitKind, str] = {
    "approval": "Invalid pending tool state for approval submission",
    "client_tool": "Invalid pending tool state for result submission",
}
_LATE: Mapping[WaitKind, str] = {"approval": "Tool approval expired", "client_tool": "Tool call expired"}
_LOST: Mapping[WaitKind, str] = {"approval": "Missing approval queue for tool call", "client_tool": UNKNOWN}
"""What became of a question whose run has ended without an answer."""


@post("/api/chat/tool-approval", status_code=200, tags=["chat"], summary="Approve or deny a tool call")
async def approve(request: AnyRequest, edge: NamedDependency[Edge]) -> ASGIResponse:
    """`{"status": "ok"}` for the first answer; `allow_tool_type` lets it hold for the session, if the policy does."""
    try:
        body = read(Approval, await request.body(), request.headers.get("content-type"))
        session, principal = await authenticated(edge, request)
        asked, now = await _asked(edge, session.id, body, "approval"), time.time()
        _require_open(asked, body.nonce, edge, now)
        require_answerer(principal, asked)
        vote = Vote(by=principal.key, decision="approve" if body.approved else "deny", at=now)
        return await _voted(edge, asked, vote, principal.team, remember=body.allow_tool_type)
    except Refused as refused:
        return refused.response
    except RequestError as error:
        return detail(error)


@post("/api/chat/tool-result", status_code=200, tags=["chat"], summary="Post the result of a client tool")
async def deliver(request: AnyRequest, edge: NamedDependency[Edge]) -> ASGIResponse:
    """`{"status": "ok"}` for the first result of a call."""
    try:
        body = read(Result, await request.body(), request.headers.get("content-type"))
        session, principal = await authenticated(edge, request)
        asked, now = await _asked(edge, session.id, body, "client_tool"), time.time()
        _require_open(asked, body.nonce, edge, now)
        require_answerer(principal, asked)
        return await _given(edge, asked, delivered(asked, _result(body), now, principal))
    except Refused as refused:
        return refused.response
    except RequestError as error:
        return detail(error)


async def _asked(edge: Edge, session_id: str, body: Submission, kind: WaitKind) -> WaitRecord:
    """The newest question of this kind about the call."""
    waits = await edge.host.ledger.waits(WaitFilter(session_id=session_id, call_id=body.tool_call_id))
    found = next((wait for wait in waits if wait.kind == kind), None)
    if found is not None:
        return found
    if any(wait.kind in _DONE for wait in waits):
        raise Rejected(_WRONG[kind], 409)
    raise Rejected(UNKNOWN, 404)


def _require_open(wait: WaitRecord, nonce: str, edge: Edge, now: float) -> None:
    """Raises `Rejected` unless the question can be answered now by who knows the nonce."""
    if wait.state in ("approved", "denied", "answered"):
        raise Rejected(_DONE[wait.kind], 409)
    if not edge.seal.fits(wait.id, nonce):
        raise Rejected("Nonce mismatch", 409)
    if wait.state == "cancelled":
        raise Rejected(_LOST[wait.kind], 404)
    if wait.state == "expired" or wait.expires_at <= now:
        raise Rejected(_LATE[wait.kind], 410)


async def _voted(edge: Edge, wait: WaitRecord, vote: Vote, team: str, *, remember: bool) -> ASGIResponse:
    try:
        await cast(wait, vote, Polls(edge.host, edge.host.ledger), team=team, remember=remember)
    except Conflict:  # somebody was quicker, the run has ended, or the key has voted before
        raise await _refused(edge, wait) from None
    return answer({"status": "ok"})


async def _given(edge: Edge, wait: WaitRecord, said: Answer) -> ASGIResponse:
    if await edge.host.answer(said) is None:  # somebody was quicker, or the run has ended
        raise await _refused(edge, wait)
    return answer({"status": "ok"})


async def _refused(edge: Edge, wait: WaitRecord) -> Rejected:
    now = await edge.host.ledger.wait(wait.id)
    cancelled = now is None or now.state == "cancelled"
    return Rejected(_LOST[wait.kind], 404) if cancelled else Rejected(_DONE[wait.kind], 409)


def _result(body: Result) -> ToolResult:
    if not body.error:
        return ToolResult(structured=body.result)
    code, message = body.error.get("code"), body.error.get("message")
    known = isinstance(code, str) and _CODE.fullmatch(code)
    said = message if isinstance(message, str) and message else dump(body.error).decode()
    again = body.error.get("retryable") is True
    return failed(code if known and isinstance(code, str) else "tool_error", printable(said), retryable=again)
