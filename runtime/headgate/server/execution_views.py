"""Runs in the words of agents-gateway: invocations and executions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from headgate.server.run_views import Account
from headgate.server.wait_views import WaitView
from headgate.stores.records import RunRecord, StepRecord


class Answered(msgspec.Struct):
    """What an agent answered; `output` is for answers in a shape, which there are none of yet."""

    output: Any
    raw_text: str
    validation_errors: list[str] | None


class Spent(msgspec.Struct):
    """What a run took, in the names of agents-gateway; null where only the single run says it."""

    input_tokens: int
    output_tokens: int
    cost_usd: float
    llm_calls: int
    tool_calls: int | None
    models_used: list[str]
    duration_ms: int


class Invocation(msgspec.Struct, kw_only=True):
    """The end of a run that somebody waited for."""

    execution_id: str
    run_id: str
    agent_id: str
    status: str
    result: Answered | None
    usage: Spent
    error: str | None


class ChatTurn(Invocation, kw_only=True):
    """The same in a conversation."""

    session_id: str
    turn_count: int


class Accepted(msgspec.Struct, kw_only=True):
    """A run that goes on, or that waits for what `waits` lists, when the request is answered."""

    execution_id: str
    run_id: str
    agent_id: str
    status: str
    poll_url: str
    session_id: str | None
    waits: list[WaitView]


class Execution(msgspec.Struct, kw_only=True):
    """A run in the members of agents-gateway; times are RFC 3339."""

    execution_id: str
    agent_id: str
    status: str
    message: str | None
    input: dict[str, Any]
    result: Answered | None
    error: str | None
    usage: Spent
    session_id: str | None
    parent_execution_id: str | None
    root_execution_id: str
    delegation_depth: int
    started_at: str | None
    completed_at: str | None
    created_at: str


def invocation(account: Account) -> dict[str, Any]:
    """The members of an ended run's `Invocation`."""
    run = account.run
    return {
        "execution_id": run.id, "run_id": run.id, "agent_id": run.agent, "status": status_of(run),
        "result": _answered(account), "usage": spent(run, account.steps), "error": _error(run),
    }  # fmt: skip


def accepted(account: Account) -> Accepted:
    """A run that has not ended."""
    run = account.run
    return Accepted(
        execution_id=run.id, run_id=run.id, agent_id=run.agent, status=status_of(run),
        poll_url=f"/v1/executions/{run.id}", session_id=run.session_id, waits=account.pending,
    )  # fmt: skip


def execution(run: RunRecord, account: Account | None = None) -> Execution:
    """A run for clients of agents-gateway; lists have no account of it, and so neither its message nor its result."""
    return Execution(
        execution_id=run.id, agent_id=run.agent, status=status_of(run),
        message=account.message if account else None, input=run.request.input,
        result=_answered(account) if account else None, error=_error(run),
        usage=spent(run, account.steps if account else None), session_id=run.session_id, parent_execution_id=None,
        root_execution_id=run.id, delegation_depth=0, started_at=_stamp(run.started_at),
        completed_at=_stamp(run.ended_at), created_at=_stamp(run.created_at) or "",
    )  # fmt: skip


def status_of(run: RunRecord) -> str:
    """The state, but for a run that took too long: `timeout`."""
    return "timeout" if run.outcome == "timeout" else run.state


def spent(run: RunRecord, steps: Sequence[StepRecord] | None) -> Spent:
    """What a run took; `input_tokens` is the whole prompt, whatever of it came from a cache."""
    usage, models = run.usage, [run.model]
    if steps is not None:
        models = list(dict.fromkeys(step.name for step in steps if step.kind == "model"))
    return Spent(
        input_tokens=usage.total - usage.output, output_tokens=usage.output, cost_usd=run.cost, llm_calls=run.turns,
        tool_calls=None if steps is None else sum(step.kind == "tool" for step in steps), models_used=models,
        duration_ms=int(run.elapsed * 1000),
    )  # fmt: skip


def _answered(account: Account) -> Answered | None:
    return Answered(None, account.answer, None) if account.run.state == "completed" else None


def _error(run: RunRecord) -> str | None:
    return f"{run.error.code}: {run.error.message}" if run.error else None


def _stamp(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
