"""Whose things are whose: a key sees its own runs, sessions and waits; those of others do not exist for it.

The scope `admin:runs` sees all. Who may answer a question of a run sees the question too, but not the run.
"""

from __future__ import annotations

from headgate.core.context import Principal
from headgate.core.errors import Forbidden, NotFound
from headgate.engine import answers
from headgate.engine.sessions import Session
from headgate.server.edge import Edge
from headgate.stores.records import RunRecord
from headgate.stores.waits import WaitRecord

ADMIN = "admin:runs"
ANSWER = "approvals:answer"


def sees_all(principal: Principal) -> bool:
    """Whether the things of every key are this one's to see."""
    return principal.allows(ADMIN)


def owner_of(principal: Principal) -> str | None:
    """The key whose things are listed for the principal; None: those of all."""
    return None if sees_all(principal) else principal.key


async def run_of(edge: Edge, principal: Principal, run_id: str, *, noun: str = "run") -> RunRecord:
    """The run, if the principal may see it; raises `NotFound`."""
    record = await edge.host.ledger.run(run_id)
    if record is None or not (record.principal == principal.key or sees_all(principal)):
        raise NotFound(f"there is no {noun} {run_id[:80]!r}", code=f"{noun}_not_found")
    return record


async def session_of(edge: Edge, principal: Principal, session_id: str) -> Session:
    """The session, if the principal may see it; raises `NotFound`."""
    session = await edge.host.sessions.find(session_id)
    if session is None or not (session.record.principal == principal.key or sees_all(principal)):
        raise NotFound(f"there is no session {session_id[:80]!r}", code="session_not_found")
    return session


async def own_session(edge: Edge, principal: Principal, session_id: str) -> Session:
    """The session, if it is the principal's own; raises `NotFound`, or `Forbidden` for who only sees it."""
    session = await session_of(edge, principal, session_id)
    if session.record.principal != principal.key:
        raise Forbidden(f"session {session_id} belongs to key {session.record.principal!r}", code="not_owner")
    return session


async def wait_of(edge: Edge, principal: Principal, wait_id: str, *, noun: str = "wait") -> WaitRecord:
    """The wait, if the principal may see it; raises `NotFound`."""
    wait = await edge.host.ledger.wait(wait_id)
    if wait is None or not sees_wait(principal, wait):
        raise NotFound(f"there is no {noun} {wait_id[:80]!r}", code=f"{noun}_not_found")
    return wait


def sees_wait(principal: Principal, wait: WaitRecord) -> bool:
    """Whether the wait exists for the principal."""
    return wait.principal == principal.key or sees_all(principal) or may_answer(principal, wait)


def may_answer(principal: Principal, wait: WaitRecord) -> bool:
    """Whether the principal may settle the wait: where a policy names approvers, they alone; the result of a front
    end's tool is for its own key to give."""
    if wait.kind != "client_tool":
        own = wait.principal == principal.key or sees_all(principal) or principal.allows(ANSWER)
        return answers.may_answer(principal, wait) and (own or bool(wait.approvers))
    return wait.principal == principal.key or sees_all(principal)


def require_answerer(principal: Principal, wait: WaitRecord) -> None:
    """Raises `Forbidden` unless the principal may settle the wait."""
    answers.require_approver(principal, wait)
    if not may_answer(principal, wait):
        raise Forbidden(f"key {principal.key!r} may not answer this", code="not_an_approver")
