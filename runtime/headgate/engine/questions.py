"""What a call has to ask before it is made, and what the answers mean: approvals, front ends, unknown outcomes.

A question is a row in the ledger. The run need not be there for the answer: whoever goes on with it comes by here
again and finds the row settled.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from math import inf, nextafter
from typing import Any

from msgspec.structs import replace

from headgate.compile.plan import AgentPlan, BoundTool
from headgate.compile.rulings import Case, Policy, Ruling
from headgate.core.context import RunContext, SessionInfo
from headgate.core.events import ApprovalRequested, ApprovalResolved, Event, InputRequested, WaitKind
from headgate.core.messages import ToolCall, ToolResult, failed
from headgate.core.passage import Deferred, Passage, Trail
from headgate.core.ports import ToolDefinition
from headgate.engine.arguments import args_hash
from headgate.engine.consents import Remembered, unapproved
from headgate.engine.decisions import Decisions
from headgate.engine.edits import bound_hash, edit_of
from headgate.engine.recorder import Recorder
from headgate.engine.remarks import watch
from headgate.engine.taint import Taint
from headgate.engine.turn import CallState
from headgate.engine.witness import answered
from headgate.stores.port import Ledger
from headgate.stores.records import Intent
from headgate.stores.told import Told
from headgate.stores.waits import Answer, Opened, WaitRecord, new_wait_id

UNKNOWN_TIMEOUT = 24 * 3600.0
"""Seconds that a question about an unknown outcome stands when no policy says how long; then the model is told."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Asks on behalf of one run. Every method returns a wait that is pending, a result that ends the call, or None:
    the call may go on. `taint` is what the run's transcript says of it, `decisions` counts what policies decide."""

    plan: AgentPlan
    session: SessionInfo
    ledger: Ledger
    recorder: Recorder
    taint: Taint = field(default_factory=Taint)
    decisions: Decisions = field(default_factory=Decisions)

    async def permission(
        self, call: ToolCall, state: CallState, case: Case, within: RunContext
    ) -> WaitRecord | ToolResult | None:
        """Whether the policies allow the call; the stricter of what they say now and said before counts."""
        ruling = self.plan.approvals.ruling(case)
        watch(ruling, call, state, within)
        asked = state.waits.get("approval")
        if ruling.decide == "deny":
            if asked is not None and asked.state == "pending":
                now = self.recorder.now()
                told = answered(asked, ("", ""), "cancelled", now, reason=f"policy {_name(ruling)!r} denies it now")
                await self.ledger.answer(Answer(wait_id=asked.id, state="cancelled", at=now, audit=(told,)))
                self._resolved(replace(asked, state="cancelled"), state, call)
            self._ruled(call, ruling, "deny")
            self.decisions.count(_name(ruling), "deny", "enforce")
            return failed("policy_denied", f"policy {_name(ruling)!r} denies {call.name}", status="denied")
        found = self._settled(asked, state, call) if asked is not None else None
        if found is not None:
            return found
        policy = await self._unanswered(ruling, call, state, case)
        if policy is None:
            if asked is None and not {"client_tool", "input"} & state.waits.keys():  # else it came by here before
                self._ruled(call, ruling, "allow", remembered=ruling.decide == "ask")
            return None
        self.decisions.count(policy.name, "ask", "enforce")
        return await self._ask(call, case.tool, state, policy, policy.qualified(case))

    async def changed(
        self, call: ToolCall, /, *, shown: bool, state: CallState, before: Case, approved: ToolCall
    ) -> str:
        """See `core.context.Permit`; `approved` is the call that people may have been asked about."""
        case = before.changed(call.args or {})
        ruling = self.plan.approvals.ruling(case)
        if ruling.decide == "deny":
            return f"policy {_name(ruling)!r} denies {call.name} with the arguments that an interceptor made of it"
        policy = await self._unanswered(ruling, call if shown else approved, state, case)
        if policy is None:
            return ""
        return f"an interceptor changed the arguments of {call.name}, and policy {policy.name!r} wants them approved"

    async def _unanswered(self, ruling: Ruling, call: ToolCall, state: CallState, case: Case) -> Policy | None:
        """The first policy that holds the call and has no answer that contents it, given now or remembered."""
        left = unapproved(ruling.asking, state.approvals, args_hash(call.args))
        if not left:
            return None
        grants = await self.ledger.grants(self.session.id) if self.session.id else ()
        return Remembered(ruling.asking, case, grants).unanswered(left)

    def _ruled(self, call: ToolCall, ruling: Ruling, decision: str, *, remembered: bool = False) -> None:
        """Has the audit log tell what a policy decided, with the call's next transaction."""
        if ruling.policy is not None:
            recorder = self.recorder
            name, at = ruling.policy.name, recorder.now()
            recorder.note(recorder.witness.ruled(call, name, decision, at, remembered=remembered))

    def passage(self, call: ToolCall, tool: BoundTool, state: CallState) -> WaitRecord | Passage:
        """How far the call has come: with the answer of the caller's front end, if that was asked for it; or its
        question, while that is pending."""
        asked = state.waits.get("client_tool")
        if tool.receive is None or asked is None:
            return Passage()
        if asked.state == "pending":
            return asked
        answer = failed("tool_timeout", f"{call.name} was not answered in time", status="expired")
        if asked.state == "answered" and asked.result is not None:
            answer = asked.result if asked.result.error else tool.receive(asked.result.structured)
        return Passage(asked.trail, answer)

    async def front_end(self, deferred: Deferred, tool: BoundTool, state: CallState) -> WaitRecord:
        """Asks the caller's front end for the result, with the arguments that interceptors have made of the call's."""
        return await self._request("client_tool", deferred.call, state, tool.timeout, trail=deferred.trail)

    async def outcome(self, call: ToolCall, state: CallState, case: Case) -> WaitRecord | ToolResult | None:
        """What became of a call that was begun and cut off, and must not be made twice silently; None: make it."""
        if state.begun is None:
            return None
        asked = state.waits.get("unknown_outcome")
        if asked is None or (asked.resolved_at or asked.created_at) < state.begun:  # that one was about an earlier try
            how, policy = self.plan.approvals.unknown_outcome(case)
            if how == "tell_model":
                return unknown(call)
            return await self._request(
                "unknown_outcome", call, state, policy.timeout if policy else UNKNOWN_TIMEOUT, policy
            )
        if asked.state == "pending":
            return asked
        return _told(asked, call) if asked.state == "answered" else unknown(call)

    async def intend(self, call: ToolCall, state: CallState) -> None:
        """Keeps that the call is about to be made, since it must not be made twice."""

        asked = state.waits.get("unknown_outcome")
        # Later than the answer that asked for it, whatever the clock says: that answer is for one more try only.
        at = max(self.recorder.now(), nextafter(asked.resolved_at or 0.0, inf) if asked else 0.0)

        def work(told: Told) -> Coroutine[Any, Any, None]:
            recorder = self.recorder
            intent = Intent(
                run_id=recorder.run_id, fence=recorder.fence, step=state.step, call_id=call.id, tool=call.name,
                at=at, told=told,
            )  # fmt: skip
            return self.ledger.begin_call(intent)

        await self.recorder.keep(work, audit=(self.recorder.witness.begun(call, self.recorder.now()),))

    def _settled(self, asked: WaitRecord, state: CallState, call: ToolCall) -> WaitRecord | ToolResult | None:
        if asked.state == "pending":
            return asked
        reason = self._resolved(asked, state, call)
        if asked.state == "approved":
            return None if bound_hash(asked) == args_hash(call.args) else _changed(call)
        if asked.state == "denied":
            said = f"a person denied {call.name}" + (f": {reason}" if reason else "")
            return failed("user_denied", said, status="denied")
        return failed("approval_timeout", f"nobody approved {call.name} in time", status="expired")

    def _resolved(self, asked: WaitRecord, state: CallState, call: ToolCall) -> str:
        """Tells, once, that the question is settled; returns why it was."""
        vote = asked.votes[-1] if asked.votes else None
        by, reason = (vote.by, vote.reason) if vote else ("", "")
        if asked.id not in state.resolved:
            state.resolved |= {asked.id}
            event = ApprovalResolved(
                id=asked.id, call_id=call.id, name=call.name, state=asked.state, by=by, reason=reason,
                edited_args=edit_of(asked), args_hash=bound_hash(asked),
            )  # fmt: skip
            self.recorder.emit(event, state.step)
        return reason

    async def _ask(
        self, call: ToolCall, tool: ToolDefinition, state: CallState, policy: Policy, qualifier: str | None
    ) -> WaitRecord:
        shown = _shown(tool.input_schema, call.args or {})
        wait = self.wait_for("approval", call, state, policy.timeout, policy)
        wait = replace(
            wait, shown=shown, qualifier=qualifier, may_remember=policy.remembers(qualifier),
            quorum=policy.quorum,
        )  # fmt: skip
        event = ApprovalRequested(
            id=wait.id, call_id=call.id, name=call.name, args=wait.args, args_hash=wait.args_hash, policy=policy.name,
            expires_at=wait.expires_at, approvers=wait.approvers, quorum=wait.quorum, qualifier=wait.qualifier,
            shown=shown,
        )  # fmt: skip
        return await self.open(wait, event, state)

    async def _request(
        self, kind: WaitKind, call: ToolCall, state: CallState, timeout: float, policy: Policy | None = None, *,
        trail: Trail | None = None,
    ) -> WaitRecord:  # fmt: skip
        wait = replace(self.wait_for(kind, call, state, timeout, policy), trail=trail)
        event = InputRequested(
            id=wait.id, kind=kind, call_id=call.id, name=call.name, args=wait.args, expires_at=wait.expires_at
        )
        return await self.open(wait, event, state)

    async def open(self, wait: WaitRecord, event: Event, state: CallState) -> WaitRecord:
        """Keeps the question, and then asks it."""
        if wait.kind == "approval":
            state.earlier = state.approvals
        state.waits[wait.kind] = wait

        def work(told: Told) -> Coroutine[Any, Any, None]:
            return self.ledger.open_wait(Opened(fence=self.recorder.fence, wait=wait, told=told))

        await self.recorder.keep(work, (event, wait.step), audit=(self.recorder.witness.asked(wait),))
        return wait

    def wait_for(
        self, kind: WaitKind, call: ToolCall, state: CallState, timeout: float, policy: Policy | None = None
    ) -> WaitRecord:
        """A question about the call that is not asked yet."""
        now = self.recorder.now()
        return WaitRecord(
            id=new_wait_id(), run_id=self.recorder.run_id, session_id=self.session.id or None, step=state.step,
            call_id=call.id, kind=kind, tool=call.name, args=call.args or {}, args_hash=args_hash(call.args),
            agent=self.plan.name, principal=self.session.key, team=self.session.team, created_at=now,
            expires_at=now + timeout, policy=policy.name if policy else None,
            approvers=policy.approvers if policy else (),
        )  # fmt: skip


def _shown(schema: Mapping[str, Any], args: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """The arguments with the labels of the manifest, so that no text of the model's tells people what they approve."""
    properties = schema.get("properties", {})
    known = {name: each for name, each in properties.items() if isinstance(each, dict)}
    return tuple({"label": known.get(name, {}).get("title", name), "value": value} for name, value in args.items())


def _name(ruling: Ruling) -> str:
    return ruling.policy.name if ruling.policy else ""


def unknown(call: ToolCall) -> ToolResult:
    """What the model reads of a call that was cut off."""
    said = f"{call.name} was interrupted, and whether it took effect is not known; find out before you call it again"
    return failed("outcome_unknown", said, status="unknown")


def _changed(call: ToolCall) -> ToolResult:
    return failed("policy_denied", f"the arguments of {call.name} are not those that were approved", status="denied")


def _told(asked: WaitRecord, call: ToolCall) -> ToolResult | None:
    """What a person says that became of the call; None: it shall be made again."""
    vote = asked.votes[-1] if asked.votes else None
    if vote is not None and vote.decision == "retry":
        return None
    reason = vote.reason if vote else ""
    if vote is not None and vote.decision == "failed":
        return failed("tool_error", reason or f"{call.name} was interrupted and did not take effect")
    return asked.result or ToolResult(
        structured={"outcome": "done", "note": reason or "a person says that it was done"}
    )
