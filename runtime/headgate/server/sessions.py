"""Sessions: conversations that the gateway keeps, whichever API began them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response.base import ASGIResponse

from headgate.core.context import Principal
from headgate.core.errors import Conflict, NotFound, StoreError
from headgate.core.events import ENDED
from headgate.server.access import own_session, owner_of, session_of
from headgate.server.bodies import Fork, Open
from headgate.server.edge import Edge
from headgate.server.native import native, read
from headgate.server.pages import Paging
from headgate.server.runs import Of
from headgate.server.session_views import (
    Deleted,
    Opened,
    SessionPage,
    SessionView,
    opened,
    session_key,
    session_view,
    summary_of,
)
from headgate.server.start import open_session
from headgate.server.wire import answer
from headgate.stores.records import SessionFilter, SessionRecord

READERS = ("chat", "sessions:read", "admin:runs")
MANAGERS = ("chat", "sessions:manage", "admin:runs")
_PATH = "/v1/sessions/{session_id:str}"

ByKey = Request[Principal, Any, State]


@post(
    "/v1/sessions",
    **native(
        "sessions", "Open a session", scopes=MANAGERS, body=Open, answers={201: Opened}, errors=(404, 429),
    ),
)  # fmt: skip
async def create_session(request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """A conversation with an agent, and a token with which the compatible chat API takes part in it."""
    body = await read(request, Open, empty=True)
    agent = edge.snapshot.agent_for(request.user, body.agent)
    session = await open_session(edge, request.user, agent)
    return _opened(edge, session.record)


def _opened(edge: Edge, record: SessionRecord) -> ASGIResponse:
    headers = {"location": f"/v1/sessions/{record.id}", "x-headgate-session": record.id}
    return answer(opened(record, edge.tokens.sign(record)), 201, headers)


@get("/v1/sessions", **native("sessions", "List sessions", scopes=READERS, answers={200: SessionPage}))
async def list_sessions(
    request: ByKey, edge: NamedDependency[Edge], paging: NamedDependency[Paging], agent_id: Of = None,
    wanted: Annotated[Literal["open", "closed"] | None, QueryParameter(name="state")] = None,
) -> ASGIResponse:  # fmt: skip
    """The key's sessions, newest first; with `admin:runs` those of all keys."""
    found = await edge.host.ledger.sessions(
        SessionFilter(
            principal=owner_of(request.user), agent=agent_id, state=wanted, after=paging.after, limit=paging.fetched
        )
    )
    return answer(paging.page(found, session_key, session_view))


@get(_PATH, **native("sessions", "One session", scopes=READERS, answers={200: SessionView}, errors=(404,)))
async def get_session(session_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """The session."""
    session = await session_of(edge, request.user, session_id)
    return answer(await _view(edge, session.record))


async def _view(edge: Edge, record: SessionRecord) -> SessionView:
    summary = await summary_of(edge, record)
    if summary is None:
        raise NotFound(f"there is no session {record.id!r}", code="session_not_found")
    return session_view(summary)


@post(
    f"{_PATH}/fork",
    **native("sessions", "Fork a session", scopes=MANAGERS, body=Fork, answers={201: Opened}, errors=(404, 409, 429)),
)
async def fork(session_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """A new session whose conversation is the same up to the run `run_id`, or to the last one that has ended."""
    body = await read(request, Fork, empty=True)
    session = await own_session(edge, request.user, session_id)
    agent = edge.snapshot.agent_for(request.user, session.record.agent)
    head = await _fork_point(edge, session_id, body.run_id)
    made = await open_session(edge, request.user, agent, parent=session_id, head=head)
    return _opened(edge, made.record)


async def _fork_point(edge: Edge, session_id: str, wanted: str | None) -> str | None:
    """The run that a fork goes on from; one that has not ended would be ended by the fork's next run."""
    conversation = await edge.host.ledger.conversation(session_id)
    if wanted is None:
        return next((each.run_id for each in reversed(conversation) if each.state in ENDED), None)
    found = next((each for each in conversation if each.run_id == wanted), None)
    if found is None:
        raise NotFound(f"the conversation has no run {wanted!r}", code="run_not_found")
    if found.state not in ENDED:
        raise Conflict(f"run {wanted} has not ended", code="run_in_progress")
    return wanted


@post(
    f"{_PATH}/close",
    **native("sessions", "Close a session", scopes=MANAGERS, answers={200: SessionView}, errors=(404,)),
)
async def close(session_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """No further run can be begun in it, and its token is good no more; a run that is going on goes on."""
    await session_of(edge, request.user, session_id)
    await edge.host.ledger.close_session(session_id)
    edge.host.sessions.forget(session_id)
    session = await session_of(edge, request.user, session_id)
    return answer(await _view(edge, session.record))


@delete(_PATH, **native("sessions", "Delete a session", scopes=MANAGERS, answers={200: Deleted}, errors=(404, 409)))
async def delete_session(session_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Deletes the session and its runs, but for those that a fork of it stands on."""
    await session_of(edge, request.user, session_id)
    try:
        gone = await edge.host.ledger.delete_session(session_id)
    except StoreError as error:
        if error.code != "store_conflict":
            raise
        raise Conflict("a run of the session has not ended; cancel it first", code="run_in_progress") from None
    edge.host.sessions.forget(session_id)
    return answer(Deleted(gone))
