"""The compatible chat API: `/api/health`, `/api/chat/init`, `/api/chat`; the answers to its questions: `chat_tools`.

Order of checks on a chat, which clients rely on: body, token, one streaming connection a session, model. What
Headgate adds travels in `X-Headgate-*` headers; frames and bodies never gain members.
"""

from __future__ import annotations

import hmac
from typing import Any

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.response.base import ASGIResponse

from headgate.core.context import Principal
from headgate.core.errors import RequestError, Unauthenticated
from headgate.core.messages import Message, Text
from headgate.engine.run import Order
from headgate.engine.sessions import Session
from headgate.server import chat_frames as frames
from headgate.server.auth import find_principal
from headgate.server.chat_bodies import Chat, Init, Refused, read
from headgate.server.edge import Edge
from headgate.server.stream import Dialect, EventStream
from headgate.server.wire import answer, printable

AGENT = "x-headgate-agent"
_ROLES = ("user", "assistant")

AnyRequest = Request[Any, Any, State]


@get("/api/health", tags=["chat"], summary="Whether the process answers")
async def health() -> ASGIResponse:
    """Always `{"status": "ok"}`."""
    return answer({"status": "ok"})


@post("/api/chat/init", status_code=200, tags=["chat"], summary="Exchange an API key for a session token")
async def init(request: AnyRequest, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Opens a session with the agent named by `X-Headgate-Agent`, else with the default agent."""
    try:
        body = read(Init, await request.body(), request.headers.get("content-type"))
        principal = find_principal(edge, body.api_key)
        if principal is None:
            raise Unauthenticated("Invalid API key")
        request.scope["user"] = principal
        return answer(await _opened(edge, principal, request.headers.get(AGENT)))
    except Refused as refused:
        return refused.response
    except RequestError as error:
        return detail(error)


async def _opened(edge: Edge, principal: Principal, wanted: str | None) -> dict[str, Any]:
    principal.require("chat")
    snapshot = edge.snapshot
    agent = snapshot.agent_for(principal, wanted)
    auth, limits = snapshot.gateway.auth, snapshot.gateway.server.limits
    session = await edge.host.sessions.open(principal, agent, ttl=auth.session_ttl, limit=limits.sessions)
    return {
        "session_token": edge.tokens.sign(session.record),
        "session_id": session.id,
        "expires_at": int(session.record.expires_at),
    }


@post("/api/chat", status_code=200, tags=["chat"], summary="Send the conversation, stream the answer")
async def chat(request: AnyRequest) -> ASGIResponse:
    """Streams server-sent events until the terminal `stream_complete` or `error`."""
    edge: Edge = request.app.state["edge"]  # on the hot path an injected one costs too much
    try:
        body = read(Chat, await request.body(), request.headers.get("content-type"))
        session, principal = await authenticated(edge, request)
        return await _stream(edge, body, session, principal)
    except Refused as refused:
        return refused.response
    except RequestError as error:
        return detail(error)


async def authenticated(edge: Edge, request: AnyRequest) -> tuple[Session, Principal]:
    """The session of the token and who owns it, as the live revision knows the owner: a key that is gone, was changed
    or has another name now owns nothing."""
    session_id, digest = edge.tokens.read(request.headers.get("authorization"))
    session = await edge.host.sessions.find(session_id)
    known = session is not None and session.record.state == "open"
    principal = edge.host.principal(session.record.key_digest) if session and known else None
    if session is None or principal is None or principal.key != session.record.principal:
        raise Unauthenticated("Unknown session")
    if not hmac.compare_digest(digest.encode(), principal.digest[:16].encode()):
        raise Unauthenticated("Unknown session")
    request.scope["user"] = principal
    principal.require("chat")
    return session, principal


async def _stream(edge: Edge, body: Chat, session: Session, principal: Principal) -> ASGIResponse:
    session.require_idle()  # a busy session is 409, whatever else is wrong
    order, problem = _order(body, session, principal), _unusable(body)
    if problem:
        edge.host.check(order, session)  # what else is wrong is said first
        return _only_error("invalid_request", problem)
    subscription, run = await edge.host.converse(order, session)
    headers = {**frames.HEADERS, "x-headgate-run": run.id, "x-headgate-revision": run.snapshot.revision}
    if run.choice.demo:
        headers["x-headgate-demo"] = "scripted"
    dialect = Dialect(frames.Frames(edge.seal).encode, frames.broken, frames.heartbeat, edge.keepalive)
    return EventStream(subscription, dialect, headers=headers)


def _unusable(body: Chat) -> str:
    """Why no model could answer this conversation, or nothing."""
    for index, message in enumerate(body.messages):
        if message.role not in _ROLES:
            return f"messages[{index}] has the role {message.role[:40]!r}; use user or assistant"
    if not body.messages or not body.messages[-1].content.strip():
        return "the conversation ends without a message to answer"
    return ""


def _order(body: Chat, session: Session, principal: Principal) -> Order:
    return Order(
        principal=principal,
        agent=session.record.agent,
        messages=tuple(_message(each.role, each.content) for each in body.messages),
        model=body.model or None,
        channel=_word(body.context.get("channel")),
        profile=_word(body.context.get("profile")),
        input=body.context["input"] if isinstance(body.context.get("input"), dict) else {},
    )


def _message(role: str, content: str) -> Message:
    if role == "assistant":
        return Message("assistant", (Text(printable(frames.without_note(content))),))
    return Message("user", (Text(printable(content)),))


def _word(value: Any) -> str | None:
    return value.strip().lower() or None if isinstance(value, str) else None


def _only_error(code: str, message: str) -> ASGIResponse:
    return ASGIResponse(body=frames.error(code, message), media_type="text/event-stream", headers=dict(frames.HEADERS))


def detail(error: RequestError) -> ASGIResponse:
    """A refusal in the words of this API."""
    status = 400 if error.code == "invalid_model" else error.status
    headers = {"retry-after": str(error.details["retry_after"])} if "retry_after" in error.details else None
    return answer({"detail": error.message}, status, headers)
