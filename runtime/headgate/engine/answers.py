"""What people say to the questions of runs: who may, which answers fit, and what they come to.

The chat API, the native API and the command line share this; each adds how it knows who is speaking.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec.structs import replace

from headgate.core.context import Principal
from headgate.core.errors import Conflict, Forbidden, Gone, Invalid
from headgate.core.events import WaitKind, WaitState
from headgate.core.messages import ToolResult
from headgate.engine.arguments import shapes
from headgate.engine.witness import answered, voted
from headgate.mcp.forms import fitting
from headgate.stores.port import WaitLedger
from headgate.stores.waits import Answer, Decision, Grant, Vote, WaitRecord

DECISIONS: Mapping[WaitKind, tuple[Decision, ...]] = {
    "approval": ("approve", "deny"),
    "unknown_outcome": ("retry", "done", "failed"),
    "input": ("accept", "decline", "cancel"),
}
"""What may be said to each kind of question; a client tool takes a result instead."""
_STATES: Mapping[Decision, WaitState] = {
    "approve": "approved", "deny": "denied", "retry": "answered", "done": "answered", "failed": "answered",
    "accept": "answered", "decline": "answered", "cancel": "answered",
}  # fmt: skip


class Answerable(Protocol):
    """Where an answer goes: a host, whose run goes on at once, or a ledger, whose run goes on with the next host."""

    async def answer(self, answer: Answer, /) -> WaitRecord | None:
        """Settles a wait; None when it was settled before."""
        ...


@dataclass(frozen=True, slots=True)
class Polls:
    """Where votes go, and where the questions are read."""

    to: Answerable
    ledger: WaitLedger


def may_answer(principal: Principal, wait: WaitRecord) -> bool:
    """Whether the policy lets the principal answer; where it names nobody, everybody may who has come this far."""
    return not wait.approvers or principal.key in wait.approvers or principal.team in wait.approvers


def require_approver(principal: Principal, wait: WaitRecord) -> None:
    """Raises `Forbidden` unless the principal may answer."""
    if not may_answer(principal, wait):
        names = " or ".join(wait.approvers)
        raise Forbidden(f"only {names} may answer this; key {principal.key!r} may not", code="not_an_approver")


def decided(wait: WaitRecord, vote: Vote, *, team: str, remember: bool = False) -> Answer:
    """The answer that a vote of somebody of the team comes to: one more of those that are needed, or the last; it is
    remembered for the session only where the policy has it so.

    Raises `Invalid` when the decision does not fit the question, `Conflict` as `require_pending` does, and when the key
    has approved before (`already_voted`).
    """
    possible = DECISIONS.get(wait.kind, ())
    if vote.decision not in possible:
        fits = f"answer {' or '.join(possible)}" if possible else "it takes a result"
        raise Invalid(f"{vote.decision!r} is no answer to a question of the kind {wait.kind!r}; {fits}")
    require_pending(wait, vote.at)
    _require_editable(wait, vote, remember=remember)
    state = _state(wait, vote)
    grant = _grant(wait, vote) if remember and wait.may_remember and state == "approved" else None
    votes = (*wait.votes, vote)
    return Answer(
        wait_id=wait.id, state=state, at=vote.at, votes=votes, grant=grant, revision=wait.revision,
        audit=(voted(wait, vote, team, state, remembered=grant is not None),),
    )  # fmt: skip


def _state(wait: WaitRecord, vote: Vote) -> WaitState:
    """What the vote makes of the question: it stays pending until as many keys approve as the policy wants."""
    if vote.decision != "approve":
        return _STATES[vote.decision]
    before = {each.by for each in wait.votes if each.decision == "approve"}
    if vote.by in before:
        raise Conflict(f"key {vote.by!r} has approved {wait.tool} already; others must too", code="already_voted")
    return "pending" if len(before) + 1 < wait.quorum else "approved"


def _require_editable(wait: WaitRecord, vote: Vote, *, remember: bool) -> None:
    if vote.edited_args is None:
        return
    if vote.decision != "approve" or wait.kind != "approval":
        raise Invalid("only an approval may edit the arguments", code="not_editable")
    if wait.quorum > 1:
        raise Invalid("what several people must approve is approved as it is, or denied", code="not_editable")
    if remember:
        raise Invalid("an approval of edited arguments is for this call alone", code="not_rememberable")


def delivered(wait: WaitRecord, result: ToolResult, at: float, by: Principal) -> Answer:
    """The answer that the result of a client tool is, as somebody gives it; raises as `decided` does."""
    if wait.kind != "client_tool":
        raise Invalid(f"a question of the kind {wait.kind!r} takes no result")
    require_pending(wait, at)
    told = answered(wait, (by.key, by.team), result.status, at)
    return Answer(wait_id=wait.id, state="answered", at=at, result=result, audit=(told,))


def entered(wait: WaitRecord, vote: Vote, content: Mapping[str, Any] | None, *, team: str) -> Answer:
    """The answer that somebody of the team gives to a question of an MCP server, with the values of its form; raises
    `Invalid` with the places where they do not fit, and as `decided` does."""
    answer = decided(wait, vote, team=team)
    assert wait.question is not None
    if vote.decision != "accept":
        if content is not None:
            raise Invalid(f"{vote.decision} takes no content", code="wrong_answer")
        return answer
    given = fitting(wait.question, content)
    told = answered(wait, (vote.by, team), vote.decision, vote.at, shapes=shapes(given or {}))
    return replace(answer, result=ToolResult(structured=given), audit=(told,))


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


async def cast(wait: WaitRecord, vote: Vote, at: Polls, *, team: str, remember: bool = False) -> WaitRecord:
    """Adds the vote of somebody of the team to the question, which was read a moment ago, and returns what became
    of it; raises as `decided` does.

    Of votes that come at once the ledger takes one: the others are added to what that has made of the question.
    """
    while True:
        done = await at.to.answer(decided(wait, vote, team=team, remember=remember))
        if done is not None:
            return done
        now = await at.ledger.wait(wait.id)
        if now is None or now.revision == wait.revision:
            raise Conflict(f"the question about {wait.tool} was settled by somebody else", code="already_resolved")
        wait = now


def _grant(wait: WaitRecord, vote: Vote) -> Grant | None:
    if wait.session_id is None or wait.policy is None:
        return None
    return Grant(
        session_id=wait.session_id, policy=wait.policy, tool=wait.tool, qualifier=wait.qualifier or "",
        granted_by=vote.by, granted_at=vote.at,
    )  # fmt: skip
