"""Sessions as native routes show them, in the words of agents-gateway where it has them."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.server.edge import Edge
from headgate.server.run_views import RunView
from headgate.server.shapes import MessageView
from headgate.stores.records import Cursor, SessionFilter, SessionRecord, SessionSummary


class SessionView(msgspec.Struct, kw_only=True):
    """A conversation. `turn_count` and `message_count` are of the session's own runs, without those before a fork;
    `expires_at` is when its token ends, times are epoch seconds."""

    session_id: str
    agent_id: str
    state: str
    turn_count: int
    message_count: int
    head_run: str | None
    parent: str | None
    principal: str
    created_at: float
    updated_at: float
    expires_at: int


class Opened(SessionView, kw_only=True):
    """A session that was just made; the token is good for the compatible chat API."""

    session_token: str


class SessionPage(msgspec.Struct):
    """A page of sessions, newest first."""

    items: list[SessionView]
    next: str | None


class MessagePage(msgspec.Struct):
    """A page of messages, in order."""

    items: list[MessageView]
    next: str | None


class Export(msgspec.Struct):
    """A session whole: `messages` are the conversation as it stands, `runs` all that belong to it, oldest first."""

    format: str
    exported_at: float
    session: SessionView
    runs: list[RunView]
    messages: list[MessageView]


class Deleted(msgspec.Struct):
    """What was asked is done."""

    deleted: bool


async def summary_of(edge: Edge, record: SessionRecord) -> SessionSummary | None:
    """The session as lists have it, or None when it was deleted meanwhile."""
    behind = (record.created_at, f"{record.id}~")  # sorts right before the session in a list that is newest first
    found = await edge.host.ledger.sessions(SessionFilter(principal=record.principal, after=behind, limit=1))
    return found[0] if found and found[0].session.id == record.id else None


def session_view(summary: SessionSummary) -> SessionView:
    """A session."""
    return SessionView(**_members(summary))


def opened(record: SessionRecord, token: str) -> Opened:
    """A session that has had no run yet."""
    return Opened(**_members(SessionSummary(record, 0, 0)), session_token=token)


def session_key(summary: SessionSummary) -> Cursor:
    """Where a session stands in a list."""
    return summary.session.created_at, summary.session.id


def _members(summary: SessionSummary) -> dict[str, Any]:
    record = summary.session
    return {
        "session_id": record.id, "agent_id": record.agent, "state": record.state, "turn_count": summary.runs,
        "message_count": summary.messages, "head_run": record.head_run, "parent": record.parent,
        "principal": record.principal, "created_at": record.created_at, "updated_at": record.updated_at,
        "expires_at": int(record.expires_at),
    }  # fmt: skip
