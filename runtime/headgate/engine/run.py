"""One run: what it was ordered to do, the task that does it, and the log of what it tells."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from headgate.compile.plan import AgentPlan, ModelChoice, Snapshot
from headgate.core.context import Principal
from headgate.core.events import EventId, Outcome
from headgate.core.messages import Message
from headgate.engine.bell import Bell
from headgate.engine.eventlog import EventLog, Follower
from headgate.engine.taint import Taint
from headgate.stores.records import Progress, RunRequest


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller wants: the messages it posts, to which agent, and how the run is to be shaped.

    With `goes_on` the messages continue the session's conversation; without it they are all of it, as far as the caller
    is concerned. `timeout` is in seconds, and can only shorten the agent's own.
    """

    principal: Principal
    agent: str
    messages: tuple[Message, ...]
    model: str | None = None
    channel: str | None = None
    profile: str | None = None
    input: dict[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    goes_on: bool = False

    @property
    def request(self) -> RunRequest:
        """What of it is kept."""
        return RunRequest(model=self.model, profile=self.profile, input=self.input, timeout=self.timeout)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a run is being cancelled."""

    reason: str
    outcome: Outcome = "cancelled"


@dataclass(eq=False, slots=True)
class Run:
    """A run in progress or just ended. It is pinned to `snapshot` and never depends on who listens.

    `fence` is that of the process's lease; `progress` and `steps` are what owners before it did. `calling` counts the
    calls that are being made, by tool.
    """

    id: str
    order: Order
    snapshot: Snapshot
    plan: AgentPlan
    choice: ModelChoice
    log: EventLog
    session_id: str = ""
    fence: int = 1
    progress: Progress = field(default_factory=Progress)
    steps: int = 0
    calling: Counter[str] = field(default_factory=Counter)
    bell: Bell = field(default_factory=Bell)
    taint: Taint = field(default_factory=Taint)
    begun: bool = False
    ending: Ending | None = None
    task: asyncio.Task[None] | None = None
    _watchdog: asyncio.TimerHandle | None = None

    @property
    def finished(self) -> bool:
        """Whether the terminal event has been told."""
        return self.log.ended

    @property
    def watched(self) -> bool:
        """Whether anybody follows the run."""
        return self.log.watched

    @property
    def timeout(self) -> float:
        """Seconds that the run may still go on."""
        limits = [limit for limit in (self.plan.spec.timeout, self.order.timeout) if limit is not None]
        return min(limits) - self.progress.elapsed

    def follow(self, after: EventId = (0, 0)) -> Follower:
        """A follower from the event behind this one on; hand it back with `leave`."""
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        return self.log.follow(after)

    def deserted(self) -> None:
        """One listener fewer; the agent's `on_disconnect` decides what becomes of a run without any."""
        rule = self.plan.spec.on_disconnect
        if self.finished or self.watched or rule == "continue" or self.log.broken is not None:
            return
        loop = asyncio.get_running_loop()
        self._watchdog = loop.call_later(rule.cancel_after, self.cancel, Ending("nobody has been listening"))

    def cancel(self, ending: Ending) -> None:
        """Asks the run to end; returns at once. The first reason counts."""
        if self.finished or self.ending is not None:
            return
        self.ending = ending
        self.bell.leaving = False
        if self.begun and self.task is not None:  # before that, the task sees `ending` when it begins
            self.task.cancel()

    def leave(self, *, now: bool) -> None:
        """Asks the run to leave what is left of it to another owner: after the step that is going on, or `now`."""
        if self.ending is not None:
            return
        self.bell.leaving = True
        if now and self.begun and self.task is not None:
            self.task.cancel()
