"""What a run has the audit log tell of it: for whom it is, what it asks, what it does, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headgate.core.context import Action, Mode, Principal
from headgate.core.events import RunCancelled, RunEnd, RunFailed, WaitState
from headgate.core.messages import ToolCall
from headgate.engine.arguments import Detail, noted, shapes
from headgate.stores.audit import AuditEntry
from headgate.stores.records import NewRun, RunRecord, StepRecord
from headgate.stores.waits import Vote, WaitRecord

_REASON = 300


@dataclass(frozen=True, slots=True)
class Witness:
    """Speaks for one run; `detail` says how much of the arguments of its calls is told, and `scrub` takes secrets out
    of them."""

    run: str
    key: str = ""
    team: str = ""
    agent: str = ""
    session: str | None = None
    detail: Detail = "shapes"
    scrub: Callable[[str], str] = str

    @classmethod
    def of(cls, record: RunRecord) -> Witness:
        """For a run as the ledger knows it."""
        return cls(record.id, record.principal, record.team, record.agent, record.session_id)

    def began(self, new: NewRun) -> AuditEntry:
        """The run is made."""
        request = new.request
        given = {"channel": new.channel, "profile": request.profile, "prior_run": new.prior_run}
        known = {name: value for name, value in given.items() if value is not None}
        details = {"model": new.model, "revision": new.revision, "messages": len(new.messages), **known}
        return self._entry("run.created", new.created_at, details=details)

    def ended(self, event: RunEnd, at: float) -> AuditEntry:
        """The run is over."""
        details: dict[str, Any] = {"turns": event.turns, "tokens": event.usage.total, "cost": event.cost}
        if isinstance(event, RunFailed):
            details["error"] = event.error.code
        if isinstance(event, RunCancelled):
            details["reason"] = event.reason[:_REASON]
        if event.limit:
            details["limit"] = event.limit
        return self._entry("run.ended", at, outcome=event.outcome, details=details)

    def ruled(self, call: ToolCall, policy: str, decision: str, at: float, *, remembered: bool = False) -> AuditEntry:
        """A policy lets a call pass or refuses it; that it asks is told with the question."""
        details = {"remembered": True} if remembered else {}
        return self._entry(
            "policy.decided", at, call=call.id, tool=call.name, policy=policy, outcome=decision, details=details
        )

    def judged(
        self, call: ToolCall | None, policy: str, action: Action, code: str, mode: Mode, at: float
    ) -> AuditEntry:
        """What an interceptor decided of a call or a turn; or what it, or a policy, would have: that is of another
        kind."""
        found = {"call": call.id, "tool": call.name} if call is not None else {}
        outcome, kind = (action, "policy.decided") if mode == "enforce" else (f"would_{action}", "policy.watched")
        return self._entry(kind, at, policy=policy, outcome=outcome, details={"mode": mode, "code": code}, **found)

    def seen(
        self, call: ToolCall | None, kind: str, at: float, policy: str, outcome: str, details: dict[str, Any]
    ) -> AuditEntry:
        """What an interceptor has written down of a call or a turn."""
        found = {"call": call.id, "tool": call.name} if call is not None else {}
        return self._entry(kind, at, policy=policy, outcome=outcome, details=details, **found)

    def asked(self, wait: WaitRecord) -> AuditEntry:
        """Somebody is asked about a call."""
        details: dict[str, Any] = {
            "wait": wait.id,
            "expires_at": wait.expires_at,
            **noted(wait.args, self.detail, self.scrub),
        }
        if wait.question is not None:
            details |= {"server": wait.question.server, "mode": "url" if wait.question.url else "form"}
        if wait.approvers:
            details["approvers"] = wait.approvers
        return self._entry(
            f"{wait.kind}.asked", wait.created_at, call=wait.call_id, tool=wait.tool, policy=wait.policy,
            outcome="pending", details=details,
        )  # fmt: skip

    def begun(self, call: ToolCall, at: float) -> AuditEntry:
        """A call that must not be made twice is about to be made."""
        details = noted(call.args, self.detail, self.scrub)
        return self._entry("tool.begun", at, call=call.id, tool=call.name, outcome="pending", details=details)

    def called(self, step: StepRecord, server: str | None) -> AuditEntry:
        """A call has its result, whether it was made or refused."""
        details: dict[str, Any] = {
            "step": step.n, "duration_ms": int((step.ended_at - step.started_at) * 1000),
            **noted(step.args, self.detail, self.scrub),
        }  # fmt: skip
        if server is not None:
            details["server"] = server
        if step.result is not None and step.result.error is not None:
            details["error"] = step.result.error.code
        return self._entry(
            "tool.called", step.ended_at, call=step.call_id, tool=step.name, outcome=step.status, details=details
        )

    def _entry(self, kind: str, at: float, **rest: Any) -> AuditEntry:
        return AuditEntry(
            at=at, kind=kind, key=self.key, team=self.team, agent=self.agent or None, session=self.session,
            run=self.run, **rest,
        )  # fmt: skip


def revoked(session: str, tool: str | None, by: Principal, at: float) -> AuditEntry:
    """Somebody takes back what is remembered for a session, of one tool or of all."""
    return AuditEntry(at=at, kind="grants.revoked", key=by.key, team=by.team, session=session, tool=tool)


def voted(wait: WaitRecord, vote: Vote, team: str, state: WaitState, *, remembered: bool) -> AuditEntry:
    """Somebody, a key of a team, has approved or denied; of arguments that were edited the shapes are told."""
    details: dict[str, Any] = {"reason": vote.reason, "remembered": "until the session ends" if remembered else ""}
    if vote.via:
        details["via"] = vote.via
    if vote.edited_args is not None:
        details["edited"] = shapes(vote.edited_args)
    if wait.quorum > 1:
        details |= {"state": state, "votes": len(wait.votes) + 1, "quorum": wait.quorum}
    return answered(wait, (vote.by, team), vote.decision, vote.at, **details)


def answered(wait: WaitRecord, by: tuple[str, str], outcome: str, at: float, **details: Any) -> AuditEntry:
    """Somebody, a key of a team, has settled a question of a run."""
    given = {name: value[:_REASON] if isinstance(value, str) else value for name, value in details.items() if value}
    return AuditEntry(
        at=at, kind=f"{wait.kind}.answered", key=by[0], team=by[1], agent=wait.agent, session=wait.session_id,
        run=wait.run_id, call=wait.call_id, tool=wait.tool, policy=wait.policy, outcome=outcome,
        details={"wait": wait.id, **given},
    )  # fmt: skip
