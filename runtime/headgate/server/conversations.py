"""What was said in a session, and what is remembered for it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Annotated, Any

from litestar import Request, delete, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response.base import ASGIResponse

from headgate.core.context import Principal
from headgate.core.errors import NotFound
from headgate.engine.witness import revoked
from headgate.server.access import session_of
from headgate.server.edge import Edge
from headgate.server.native import native
from headgate.server.pages import Paging
from headgate.server.run_views import run_view
from headgate.server.session_views import Export, MessagePage, session_view, summary_of
from headgate.server.sessions import MANAGERS, READERS
from headgate.server.shapes import MessageView, message_view
from headgate.server.wait_views import GrantView, Revoked, grant_view
from headgate.server.wire import answer
from headgate.stores.records import Exchange, RunFilter, RunRecord

_AT_ONCE = 200

ByKey = Request[Principal, Any, State]


@get(
    "/v1/sessions/{session_id:str}/messages",
    **native("sessions", "Messages of a session", scopes=READERS, answers={200: MessagePage}, errors=(404,)),
)
async def list_messages(
    session_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge], paging: NamedDependency[Paging]
) -> ASGIResponse:
    """The conversation as it stands, oldest first, with tool calls and results."""
    await session_of(edge, request.user, session_id)
    said = list(_messages(await edge.host.ledger.conversation(session_id)))
    return answer(paging.slice(said, lambda _, message: message))


def _messages(conversation: Iterable[Exchange]) -> Iterable[MessageView]:
    for exchange in conversation:
        for place, message in enumerate((*exchange.posted, *exchange.produced)):
            yield message_view(exchange.run_id, place, message)


@get(
    "/v1/sessions/{session_id:str}/export",
    **native("sessions", "Export a session", scopes=READERS, answers={200: Export}, errors=(404,)),
)
async def export(session_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """The session, its runs and its messages as one document."""
    session = await session_of(edge, request.user, session_id)
    summary = await summary_of(edge, session.record)
    if summary is None:
        raise NotFound(f"there is no session {session_id!r}", code="session_not_found")
    conversation = await edge.host.ledger.conversation(session_id)
    runs = await _runs(edge, session_id, conversation)
    whole = Export(
        "headgate.session/1", time.time(), session_view(summary), [run_view(each) for each in runs],
        list(_messages(conversation)),
    )  # fmt: skip
    return answer(whole, headers={"content-disposition": f'attachment; filename="{session_id}.json"'})


async def _runs(edge: Edge, session_id: str, conversation: Iterable[Exchange]) -> list[RunRecord]:
    """All runs of the session, and those of others that its conversation begins with; oldest first."""
    found: dict[str, RunRecord] = {}
    page = await edge.host.ledger.runs(RunFilter(session_id=session_id, limit=_AT_ONCE))
    while page:
        found |= {run.id: run for run in page}
        behind = (page[-1].created_at, page[-1].id)
        page = await edge.host.ledger.runs(RunFilter(session_id=session_id, after=behind, limit=_AT_ONCE))
    others = [await edge.host.ledger.run(each.run_id) for each in conversation if each.run_id not in found]
    return sorted((*found.values(), *filter(None, others)), key=lambda run: (run.created_at, run.id))


@get(
    "/v1/sessions/{session_id:str}/grants",
    **native("sessions", "Remembered approvals", scopes=READERS, answers={200: list[GrantView]}, errors=(404,)),
)
async def list_grants(session_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """The approvals that hold for the rest of the session."""
    await session_of(edge, request.user, session_id)
    return answer([grant_view(each) for each in await edge.host.ledger.grants(session_id)])


@delete(
    "/v1/sessions/{session_id:str}/grants",
    **native("sessions", "Take remembered approvals back", scopes=MANAGERS, answers={200: Revoked}, errors=(404,)),
)
async def revoke_grants(
    session_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge],
    tool: Annotated[str | None, QueryParameter(description="Only those for this tool.")] = None,
) -> ASGIResponse:  # fmt: skip
    """Later calls are asked about again."""
    await session_of(edge, request.user, session_id)
    told = (revoked(session_id, tool, request.user, time.time()),)
    return answer(Revoked(await edge.host.ledger.revoke_grants(session_id, tool, told)))
