"""Runs: begin one, find it again, follow it, end it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, QueryParameter
from litestar.response.base import ASGIResponse

from headgate.core.context import Principal
from headgate.core.errors import Invalid
from headgate.core.events import ENDED, Event, EventId, RunEnd, parse_event_id
from headgate.core.messages import Message, Text
from headgate.engine.run import Ending, Order
from headgate.server.access import owner_of, run_of
from headgate.server.bodies import NewRunBody, PostedMessage
from headgate.server.edge import Edge
from headgate.server.native import native, read
from headgate.server.native_frames import HEADERS, Frames, dialect
from headgate.server.pages import Paging
from headgate.server.run_views import (
    Cancelled,
    EventPage,
    RunDetail,
    RunPage,
    StepPage,
    account_of,
    run_detail,
    run_view,
    step_view,
)
from headgate.server.seal import Seal
from headgate.server.start import session_for, start
from headgate.server.stream import EventStream
from headgate.server.wire import answer
from headgate.stores.records import Cursor, RunFilter, RunRecord

READERS = ("chat", "executions:read", "admin:runs")
CANCELLERS = ("chat", "executions:cancel", "admin:runs")

ByKey = Request[Principal, Any, State]
AnyState = Literal["queued", "running", "waiting", "completed", "failed", "cancelled"]
Of = Annotated[str | None, QueryParameter(description="Only those of this one.")]


@post(
    "/v1/runs",
    **native(
        "runs", "Begin a run", scopes=("chat", "agents:invoke:*"), body=NewRunBody, answers={201: RunDetail},
        errors=(404, 409, 429, 503),
    ),
)  # fmt: skip
async def create_run(request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """A run that goes on by itself; follow it at its `links.events`. With `session_id` it goes on in that session."""
    body, principal = await read(request, NewRunBody), request.user
    agent = edge.snapshot.agent_for(principal, body.agent)
    principal.require("chat", f"agents:invoke:{agent}")
    session = await session_for(edge, principal, body.session_id, agent) if body.session_id else None
    run = await start(edge, _order(body, principal, agent), session)
    headers = {"location": f"/v1/runs/{run.id}", "x-headgate-run": run.id}
    return answer(run_detail(await account_of(edge, run.id)), 201, headers)


def _order(body: NewRunBody, principal: Principal, agent: str) -> Order:
    return Order(
        principal=principal,
        agent=agent,
        messages=tuple(_message(each) for each in body.posted),
        model=body.model,
        channel=body.channel,
        profile=body.profile,
        input=body.input,
        timeout=body.timeout_ms / 1000 if body.timeout_ms else None,
        goes_on=True,
    )


def _message(posted: PostedMessage) -> Message:
    return Message(posted.role, (Text(posted.content),))


@get("/v1/runs", **native("runs", "List runs", scopes=READERS, answers={200: RunPage}))
async def list_runs(
    request: ByKey, edge: NamedDependency[Edge], paging: NamedDependency[Paging], agent: Of = None,
    session_id: Of = None, wanted: Annotated[AnyState | None, QueryParameter(name="state")] = None,
) -> ASGIResponse:  # fmt: skip
    """The key's runs, newest first; with `admin:runs` those of all keys."""
    runs = await edge.host.ledger.runs(
        RunFilter(
            principal=owner_of(request.user), agent=agent, session_id=session_id, state=wanted, after=paging.after,
            limit=paging.fetched,
        )
    )  # fmt: skip
    return answer(paging.page(runs, run_key, run_view))


def run_key(run: RunRecord) -> Cursor:
    """Where a run stands in a list."""
    return run.created_at, run.id


@get("/v1/runs/{run_id:str}", **native("runs", "One run", scopes=READERS, answers={200: RunDetail}, errors=(404,)))
async def get_run(run_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """The run, what it waits for, and what it answered."""
    record = await run_of(edge, request.user, run_id)
    return answer(run_detail(await account_of(edge, record.id)))


@get(
    "/v1/runs/{run_id:str}/steps",
    **native("runs", "Steps of a run", scopes=READERS, answers={200: StepPage}, errors=(404,)),
)
async def run_steps(
    run_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge], paging: NamedDependency[Paging]
) -> ASGIResponse:
    """The committed model turns and tool calls, in order, with arguments and results."""
    record = await run_of(edge, request.user, run_id)
    return answer(paging.slice(await edge.host.ledger.steps(record.id), step_view))


@get(
    "/v1/runs/{run_id:str}/events",
    **native("runs", "Events of a run", scopes=READERS, answers={200: EventPage}, errors=(404, 429), streams=True),
)
async def run_events(
    run_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge],
    after: Annotated[str | None, QueryParameter(description="Only what comes behind this event's id.")] = None,
    last_event_id: Annotated[str | None, HeaderParameter(name="Last-Event-ID")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000, description="Items on the page, about.")] = 200,
) -> ASGIResponse:  # fmt: skip
    """A stream where `Accept` names `text/event-stream`, which goes on until the run ends; else a page.

    `Last-Event-ID` goes before `after`: who connects again sends both.
    """
    record = await run_of(edge, request.user, run_id)
    seal = edge.seal if record.principal == request.user.key else None
    behind = _event_id(last_event_id or after)
    if "text/event-stream" in request.headers.get("accept", ""):
        subscription = await edge.host.follow(record.id, behind, request.user)
        headers = {**HEADERS, "x-headgate-run": record.id}
        return EventStream(subscription, dialect(seal, edge.keepalive), headers=headers)
    found = await edge.host.ledger.events(record.id, behind, limit)
    return answer(_page(record, found, behind, seal))


def _event_id(text: str | None) -> EventId:
    if not text:
        return 0, 0
    found = parse_event_id(text)
    if found is None:
        raise Invalid("an event's id has the form 1-42", code="invalid_event_id")
    return found


def _page(record: RunRecord, found: tuple[Event, ...], behind: EventId, seal: Seal | None) -> dict[str, Any]:
    """`next` is null when nothing more will come."""
    over = isinstance(found[-1], RunEnd) if found else record.state in ENDED
    last = found[-1].id if found else f"{behind[0]}-{behind[1]}"
    return {"items": [Frames(seal).item(each) for each in found], "next": None if over else last}


@post(
    "/v1/runs/{run_id:str}/cancel",
    **native("runs", "End a run", scopes=CANCELLERS, answers={200: Cancelled}, errors=(404, 409)),
)
async def cancel_run(run_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Ends a run whether it is going on or waits; 409 `invalid_state` when it has ended."""
    return answer(await cancelled(edge, request.user, await run_of(edge, request.user, run_id)))


async def cancelled(edge: Edge, principal: Principal, record: RunRecord) -> Cancelled:
    """What became of the wish that the run shall end; raises `Conflict` when it has."""
    done = await edge.host.cancel(record.id, Ending(f"key {principal.key!r} cancelled the run"))
    return Cancelled(record.id, record.id, "cancelled" if done else "cancel_requested")
