"""From a request to a run: the order, the session that it goes on in, and the wait for its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from litestar import Request

from headgate.core.context import Principal
from headgate.core.errors import Conflict
from headgate.core.events import RunEnd, RunWaiting
from headgate.engine.run import Order, Run
from headgate.engine.sessions import Session
from headgate.engine.streams import Subscription
from headgate.server.access import own_session
from headgate.server.edge import Edge
from headgate.server.native_frames import HEADERS, dialect
from headgate.server.stream import EventStream


async def open_session(
    edge: Edge, principal: Principal, agent: str, *, parent: str | None = None, head: str | None = None
) -> Session:
    """A new session, within the limits of the key; with a parent it is a fork that goes on from the run `head`."""
    auth, limits = edge.snapshot.gateway.auth, edge.snapshot.gateway.server.limits
    return await edge.host.sessions.open(
        principal, agent, ttl=auth.session_ttl, limit=limits.sessions, parent=parent, head=head
    )


async def session_for(edge: Edge, principal: Principal, session_id: str, agent: str) -> Session:
    """A session of the principal that can go on with the agent; raises `NotFound` or `Conflict`."""
    session = await own_session(edge, principal, session_id)
    if session.record.agent != agent:
        said = f"session {session_id} is with agent {session.record.agent!r}, not {agent!r}"
        raise Conflict(said, code="session_agent_mismatch")
    if session.record.state == "closed":
        raise Conflict(f"session {session_id} is closed", code="session_closed")
    return session


async def start(edge: Edge, order: Order, session: Session | None) -> Run:
    """A run that goes on by itself; raises `Conflict` while another run of the session has not ended."""
    with _opening(session):
        return await edge.host.submit(order, session)


async def begin(edge: Edge, order: Order, session: Session | None) -> tuple[Run, Subscription]:
    """A run that the caller follows from its first event on; refused before it begins when the key has too many
    streams."""
    host = edge.host
    place = host.streams.take(order.principal, edge.snapshot.gateway.server.limits.streams_per_key)
    try:
        run = await start(edge, order, session)
    finally:
        place.free()
    return run, await host.follow(run.id, (0, 0), order.principal)  # takes the place again before anybody else can


@contextlib.contextmanager
def _opening(session: Session | None) -> Iterator[None]:
    """Keeps a second run out of the session until the first is its head."""
    if session is None:
        yield
        return
    if session.opening:
        raise Conflict(f"a run of session {session.id} is beginning", code="run_in_progress")
    session.opening = True
    try:
        yield
    finally:
        session.opening = False


async def until_settled(request: Request[Any, Any, Any], subscription: Subscription) -> None:
    """Returns when the run has ended, can only wait, or is left to another process, and when the caller has gone."""
    follower = subscription.follower
    listening = asyncio.create_task(_gone(request))
    listening.add_done_callback(lambda _: follower.wake())
    try:
        while not (listening.done() or follower.drained):
            if any(isinstance(event, RunEnd | RunWaiting) for event in await follower.batch()):
                return
    finally:
        listening.cancel()
        subscription.close()


async def _gone(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def streamed(edge: Edge, run: Run, subscription: Subscription) -> EventStream:
    """The run's events for the caller who began it."""
    headers = {**HEADERS, "x-headgate-run": run.id, "x-headgate-revision": run.snapshot.revision}
    if run.session_id:
        headers["x-headgate-session"] = run.session_id
    if run.choice.demo:
        headers["x-headgate-demo"] = "scripted"
    return EventStream(subscription, dialect(edge.seal, edge.keepalive), headers=headers)
