"""What the model is told beside the result of a call: what policies that are only watched would have done, and that
a person has changed the arguments."""

from __future__ import annotations

from headgate.compile.rulings import Ruling
from headgate.core.context import Action, RunContext
from headgate.core.errors import PolicyRefused
from headgate.core.messages import ToolCall, ToolResult
from headgate.engine.edits import EDITED, insisted
from headgate.engine.turn import CallState
from headgate.interceptors.texts import warned


def watch(ruling: Ruling, call: ToolCall, state: CallState, within: RunContext) -> None:
    """Tells and counts what policies would have done if they counted, the first time that the call comes by."""
    for policy in ruling.watched:
        action: Action = "deny" if policy.decide == "deny" else "ask"
        found = _refusal(policy.name, call.name) if action == "deny" else _question(policy.name, call.name)
        if policy.mode == "warn":
            state.remarks[policy.name] = found
        if not state.waits:  # after the first question the call comes by here again
            within.decide(policy.name, action, found.code, found.message, mode=policy.mode)


def _refusal(policy: str, tool: str) -> PolicyRefused:
    return PolicyRefused(f"policy {policy!r} would have denied {tool}")


def _question(policy: str, tool: str) -> PolicyRefused:
    return PolicyRefused(f"policy {policy!r} would have held {tool} until a person answers", code="approval_required")


def remarked(result: ToolResult, state: CallState) -> ToolResult:
    """The result with the remarks, which the model reads; a call that was not made has none."""
    if result.status in ("denied", "expired"):
        return result
    for name, found in state.remarks.items():
        remark = f"{name}: {found.message}"
        said = warned(result, remark)
        must = said is result and found.code == EDITED
        result = insisted(result, remark) if must else said
    return result
