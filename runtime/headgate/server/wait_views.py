"""What runs wait for, as native routes show it. Nonces are never in it."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.inputs import Question
from headgate.server.shapes import ResultView, result_view
from headgate.stores.records import Cursor
from headgate.stores.waits import Grant, WaitRecord


class VoteView(msgspec.Struct):
    """What one key said, and when; `via` is the answer link by which it came."""

    by: str
    decision: str
    reason: str
    edited_args: dict[str, Any] | None
    at: float
    via: str


class InputView(msgspec.Struct):
    """What an MCP server asks; all text is its own. `mode` is `form`, with the JSON Schema of the values, or `url`, an
    address to visit."""

    server: str
    mode: str
    message: str
    schema: dict[str, Any] | None
    url: str | None


class WaitView(msgspec.Struct, kw_only=True):
    """One question of a run. `args_hash` binds an answer to the arguments; `shown` is what people are shown of them;
    `approvers` are the keys and teams that may answer, nobody named: whoever may for the run's own key. `input` is what
    an MCP server asks; what was entered is never shown."""

    id: str
    kind: str
    state: str
    run: str
    session: str | None
    agent: str
    step: int
    call_id: str
    tool: str
    args: dict[str, Any]
    args_hash: str
    shown: list[dict[str, Any]]
    policy: str | None
    qualifier: str | None
    requested_by: str
    approvers: list[str]
    quorum: int
    may_remember: bool
    votes: list[VoteView]
    result: ResultView | None
    input: InputView | None
    created_at: float
    expires_at: float
    resolved_at: float | None
    revision: int


class WaitPage(msgspec.Struct):
    """A page of waits, newest first; it may hold fewer than there is room for and still have a next one."""

    items: list[WaitView]
    next: str | None


class GrantView(msgspec.Struct):
    """An approval that holds for the rest of its session."""

    policy: str
    tool: str
    qualifier: str
    granted_by: str
    granted_at: float


class Revoked(msgspec.Struct):
    """How many grants were taken back."""

    revoked: int


def wait_view(wait: WaitRecord) -> WaitView:
    """A wait."""
    same = (
        "id", "kind", "state", "agent", "step", "call_id", "tool", "args", "args_hash", "policy", "qualifier",
        "quorum", "may_remember", "created_at", "expires_at", "resolved_at", "revision",
    )  # fmt: skip
    return WaitView(
        **{name: getattr(wait, name) for name in same}, run=wait.run_id, session=wait.session_id,
        requested_by=wait.principal, approvers=list(wait.approvers), shown=list(wait.shown),
        votes=[VoteView(v.by, v.decision, v.reason, v.edited_args, v.at, v.via) for v in wait.votes],
        result=result_view(wait.result) if wait.result and wait.kind != "input" else None,
        input=_input_view(wait.question) if wait.question else None,
    )  # fmt: skip


def _input_view(question: Question) -> InputView:
    mode = "form" if question.url is None else "url"
    return InputView(question.server, mode, question.message, question.schema, question.url)


def wait_key(wait: WaitRecord) -> Cursor:
    """Where a wait stands in a list."""
    return wait.created_at, wait.id


def grant_view(grant: Grant) -> GrantView:
    """A grant."""
    return GrantView(grant.policy, grant.tool, grant.qualifier, grant.granted_by, grant.granted_at)
