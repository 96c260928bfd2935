"""What runs wait for: people and front ends, as immutable records."""

from __future__ import annotations

import secrets
from typing import Any, Literal

import msgspec

from headgate.core.events import WaitKind, WaitState
from headgate.core.inputs import Question, Round
from headgate.core.messages import ToolResult
from headgate.core.passage import Trail
from headgate.stores.audit import AuditEntry
from headgate.stores.told import Told

Decision = Literal["approve", "deny", "retry", "done", "failed", "accept", "decline", "cancel"]


def new_wait_id() -> str:
    """A fresh id of a wait, `wait_<32 hex>`; it cannot be guessed."""
    return f"wait_{secrets.token_hex(16)}"


class Vote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one person said: `by` is a key, `at` in epoch seconds, `via` the answer link by which it came."""

    by: str
    decision: Decision
    at: float
    reason: str = ""
    edited_args: dict[str, Any] | None = None
    via: str = ""


class WaitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One question of a run: may this call be made, what is its result, what became of it.

    `principal` and `team` are whose run it is. `args_hash` binds an approval to the arguments. `approvers` are the keys
    and teams that may answer; none named: whoever owns the run. `result` is the answer to a `client_tool`, or what a
    person says that a cut-off call came to. `trail` is what interceptors did before a `client_tool`, or an `input`, was
    asked. `question` is what a server asks for an `input`, whose `result` is what was entered: both that and the
    `round`, with which the call is made again, are forgotten when the call has its result. Without a `round` the call
    is held in its process meanwhile. `revision` counts the changes of the record.
    """

    id: str
    run_id: str
    session_id: str | None
    step: int
    call_id: str
    kind: WaitKind
    tool: str
    args: dict[str, Any]
    args_hash: str
    agent: str
    principal: str
    team: str
    created_at: float
    expires_at: float
    policy: str | None = None
    qualifier: str | None = None
    approvers: tuple[str, ...] = ()
    quorum: int = 1
    shown: tuple[dict[str, Any], ...] = ()
    may_remember: bool = False
    votes: tuple[Vote, ...] = ()
    state: WaitState = "pending"
    result: ToolResult | None = None
    resolved_at: float | None = None
    revision: int = 1
    trail: Trail | None = None
    question: Question | None = None
    round: Round | None = None

    @property
    def held(self) -> bool:
        """Whether the call is held for the answer, by the process that opened the wait."""
        return self.kind == "input" and self.round is None


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A wait that begins, under the fence of its run, with the events that tell it."""

    fence: int
    wait: WaitRecord
    told: Told


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """An approval that is remembered for the rest of a session: later calls of the tool that the policy asks for, with
    the same qualifier, are not asked again."""

    session_id: str
    policy: str
    tool: str
    qualifier: str
    granted_by: str
    granted_at: float


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What settles a wait: the state it goes to, by which vote, or with which result; with the state `pending` it is a
    vote that needs others. With a `revision`, it is for that revision of the record only. `audit` is kept if it is."""

    wait_id: str
    state: WaitState
    at: float
    votes: tuple[Vote, ...] = ()
    result: ToolResult | None = None
    grant: Grant | None = None
    revision: int | None = None
    audit: tuple[AuditEntry, ...] = ()


class WaitFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which waits are listed; None does not matter.

    `viewer` is a key and its team: then only what belongs to the key, or names one of them as approver, is listed.
    """

    viewer: tuple[str, str] | None = None
    run_id: str | None = None
    session_id: str | None = None
    call_id: str | None = None
    kind: WaitKind | None = None
    state: WaitState | None = None
    after: tuple[float, str] | None = None
    limit: int = 50
