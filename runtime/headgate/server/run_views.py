"""Runs and their steps as native routes show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from headgate.core.errors import NotFound
from headgate.core.events import ENDED
from headgate.server.edge import Edge
from headgate.server.shapes import ErrorView, ResultView, UsageView, error_view, result_view, usage_view
from headgate.server.wait_views import WaitView, wait_view
from headgate.stores.records import Exchange, RunRecord, StepRecord
from headgate.stores.waits import WaitRecord


class RunView(msgspec.Struct, kw_only=True):
    """A run. Times are epoch seconds; `elapsed_s` does not count what it waited for people."""

    id: str
    agent: str
    session_id: str | None
    prior_run: str | None
    state: str
    outcome: str | None
    error: ErrorView | None
    model: str
    channel: str | None
    profile: str | None
    input: dict[str, Any]
    revision: str
    principal: str
    team: str
    turns: int
    usage: UsageView
    cost_usd: float
    elapsed_s: float
    created_at: float
    started_at: float | None
    ended_at: float | None
    links: dict[str, str]


class RunDetail(RunView, kw_only=True):
    """One run in full: what was asked and answered, how many steps it took, and what it waits for."""

    message: str
    answer: str
    steps: int
    waits: list[WaitView]


class RunPage(msgspec.Struct):
    """A page of runs, newest first."""

    items: list[RunView]
    next: str | None


class StepView(msgspec.Struct):
    """A model turn or a tool call; `n` counts from 1 within the run."""

    n: int
    kind: str
    name: str
    status: str
    call_id: str | None
    args: dict[str, Any] | None
    result: ResultView | None
    usage: UsageView | None
    cost_usd: float
    started_at: float
    ended_at: float


class StepPage(msgspec.Struct):
    """A page of steps, in order."""

    items: list[StepView]
    next: str | None


class EventView(msgspec.Struct):
    """An event: its id, its type, and the members that this type has."""

    id: str
    event: str
    data: dict[str, Any]


class EventPage(msgspec.Struct):
    """Events of a run, in order; `next` is what to ask for `after`, null when nothing more will come."""

    items: list[EventView]
    next: str | None


class Cancelled(msgspec.Struct):
    """`cancelled`: the run has ended. `cancel_requested`: it is about to."""

    run_id: str
    execution_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Account:
    """All that the ledger has of one run; `conversation` ends with the run itself."""

    run: RunRecord
    conversation: Sequence[Exchange]
    steps: Sequence[StepRecord]
    waits: Sequence[WaitRecord]

    @property
    def ended(self) -> bool:
        """Whether the run has ended."""
        return self.run.state in ENDED

    @property
    def message(self) -> str:
        """The message that was to be answered."""
        return next((each.text for each in reversed(self.conversation[-1].posted) if each.role == "user"), "")

    @property
    def answer(self) -> str:
        """The text of the model's last turn that is committed."""
        return next((each.text for each in reversed(self.conversation[-1].produced) if each.role == "assistant"), "")

    @property
    def pending(self) -> list[WaitView]:
        """What the run waits for."""
        return [wait_view(each) for each in self.waits if each.state == "pending"]


async def account_of(edge: Edge, run_id: str) -> Account:
    """What there is of the run now; raises `NotFound` when it was deleted meanwhile."""
    found = await edge.host.ledger.load(run_id)
    if found is None:
        raise NotFound(f"there is no run {run_id!r}", code="run_not_found")
    return Account(found.run, found.conversation, await edge.host.ledger.steps(run_id), found.waits)


def run_view(run: RunRecord) -> RunView:
    """A run as lists show it."""
    return RunView(**_members(run))


def run_detail(account: Account) -> RunDetail:
    """A run in full."""
    return RunDetail(
        **_members(account.run), message=account.message, answer=account.answer, steps=len(account.steps),
        waits=account.pending,
    )  # fmt: skip


def _members(run: RunRecord) -> dict[str, Any]:
    same = ("id", "agent", "session_id", "prior_run", "state", "outcome", "model", "channel", "revision", "principal")
    more = ("team", "turns", "created_at", "started_at", "ended_at")
    links = {"self": f"/v1/runs/{run.id}"}
    links |= {name: f"{links['self']}/{name}" for name in ("events", "steps", "cancel")}
    return {name: getattr(run, name) for name in (*same, *more)} | {
        "error": error_view(run.error),
        "profile": run.request.profile,
        "input": run.request.input,
        "usage": usage_view(run.usage),
        "cost_usd": run.cost,
        "elapsed_s": run.elapsed,
        "links": links,
    }


def step_view(_place: int, step: StepRecord) -> StepView:
    """A step."""
    return StepView(
        n=step.n, kind=step.kind, name=step.name, status=step.status, call_id=step.call_id, args=step.args,
        result=result_view(step.result) if step.result else None,
        usage=usage_view(step.usage) if step.usage else None,
        cost_usd=step.cost, started_at=step.started_at, ended_at=step.ended_at,
    )  # fmt: skip
