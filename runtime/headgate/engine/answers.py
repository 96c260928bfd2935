"""What people say to the questions of runs: who may, which answers fit, and what they come to.

The chat API, the native API and the command line share this; each adds how it knows who is speaking.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from headgate.core.context import Principal
from headgate.core.errors import Conflict, Forbidden, Gone, Invalid
from headgate.core.events import WaitKind, WaitState
from headgate.core.messages import ToolResult
from headgate.engine.witness import answered
from headgate.stores.waits import Answer, Decision, Grant, Vote, WaitRecord

DECISIONS: Mapping[WaitKind, tuple[Decision, ...]] = {
    "approval": ("approve", "deny"),
    "unknown_outcome": ("retry", "done", "failed"),
}
"""What may be said to each kind of question; a client tool takes a result instead."""
_STATES: Mapping[Decision, WaitState] = {
    "approve": "approved", "deny": "denied", "retry": "answered", "done": "answered", "failed": "answered",
}  # fmt: skip


class Answerable(Protocol):
    """Where an answer goes: a host, whose run goes on at once, or a ledger, whose run goes on with the next host."""

    async def answer(self, answer: Answer, /) -> WaitRecord | None:
        """Settles a wait; None when it was settled before."""
        ...


def may_answer(principal: Principal, wait: WaitRecord) -> bool:
    """Whether the policy lets the principal answer; where it names nobody, everybody may who has come this far."""
    return not wait.approvers or principal.key in wait.approvers or principal.team in wait.approvers


def require_approver(principal: Principal, wait: WaitRecord) -> None:
    """Raises `Forbidden` unless the principal may answer."""
    if not may_answer(principal, wait):
        names = " or ".join(wait.approvers)
        raise Forbidden(f"only {names} may answer this; key {principal.key!r} may not", code="not_an_approver")


def decided(wait: WaitRecord, vote: Vote, *, remember: bool = False, team: str = "") -> Answer:
    """The answer that a vote of somebody of the team comes to; remembered for the session only where the policy has it
    so.

    Raises `Invalid` when the decision does not fit the question, `Conflict` as `require_pending` does.
    """
    possible = DECISIONS.get(wait.kind, ())
    if vote.decision not in possible:
        fits = f"answer {' or '.join(possible)}" if possible else "it takes a result"
        raise Invalid(f"{vote.decision!r} is no answer to a question of the kind {wait.kind!r}; {fits}")
    require_pending(wait, vote.at)
    grant = _grant(wait, vote) if remember and wait.may_remember and vote.decision == "approve" else None
    told = answered(
        wait, (vote.by, team), vote.decision, vote.at, reason=vote.reason,
        remembered="until the session ends" if grant else "",
    )  # fmt: skip
    return Answer(
        wait_id=wait.id, state=_STATES[vote.decision], at=vote.at, votes=(*wait.votes, vote), grant=grant,
        audit=(told,),
    )  # fmt: skip


def delivered(wait: WaitRecord, result: ToolResult, at: float) -> Answer:
    """The answer that the result of a client tool is; raises as `decided` does."""
    if wait.kind != "client_tool":
        raise Invalid(f"a question of the kind {wait.kind!r} takes no result")
    require_pending(wait, at)
    told = answered(wait, (wait.principal, wait.team), result.status, at)
    return Answer(wait_id=wait.id, state="answered", at=at, result=result, audit=(told,))


def require_pending(wait: WaitRecord, at: float) -> None:
    """Raises `Conflict` when the question is settled (`already_resolved`), `Gone` when its time is over."""
    if wait.state == "expired" or (wait.state == "pending" and wait.expires_at <= at):
        raise Gone(f"the time to answer {wait.tool} is over")
    if wait.state != "pending":
        raise Conflict(f"the question about {wait.tool} is {wait.state} already", code="already_resolved")


async def give(answer: Answer, wait: WaitRecord, to: Answerable) -> WaitRecord:
    """Settles the wait, which was read a moment ago; raises `Conflict` when somebody else was quicker."""
    settled = await to.answer(answer)
    if settled is None:
        raise Conflict(f"the question about {wait.tool} was settled by somebody else", code="already_resolved")
    return settled


def _grant(wait: WaitRecord, vote: Vote) -> Grant | None:
    if wait.session_id is None or wait.policy is None:
        return None
    return Grant(
        session_id=wait.session_id, policy=wait.policy, tool=wait.tool, qualifier=wait.qualifier or "",
        granted_by=vote.by, granted_at=vote.at,
    )  # fmt: skip
