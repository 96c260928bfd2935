"""One run: what it was ordered to do, the task that does it, and the log of what it tells."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from headgate.compile.plan import AgentPlan, ModelChoice, Snapshot
from headgate.core.context import Principal
from headgate.core.events import Outcome
from headgate.core.messages import Message
from headgate.engine.eventlog import EventLog, Follower


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller wants: the messages it posts, to which agent, and how the run is to be shaped."""

    principal: Principal
    agent: str
    messages: tuple[Message, ...]
    model: str | None = None
    channel: str | None = None
    profile: str | None = None
    input: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a run is being cancelled."""

    reason: str
    outcome: Outcome = "cancelled"


@dataclass(eq=False, slots=True)
class Run:
    """A run in progress or just ended. It is pinned to `snapshot` and never depends on who listens."""

    id: str
    order: Order
    snapshot: Snapshot
    plan: AgentPlan
    choice: ModelChoice
    log: EventLog
    session_id: str = ""
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

    def follow(self) -> Follower:
        """A follower from the first event on; hand it back with `leave`."""
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        return self.log.follow()

    def leave(self, follower: Follower) -> None:
        """One listener fewer; the agent's `on_disconnect` decides what becomes of a run without any."""
        follower.close()
        rule = self.plan.spec.on_disconnect
        if self.finished or self.watched or rule == "continue":
            return
        loop = asyncio.get_running_loop()
        self._watchdog = loop.call_later(rule.cancel_after, self.cancel, Ending("nobody has been listening"))

    def cancel(self, ending: Ending) -> None:
        """Asks the run to end; returns at once. The first reason counts."""
        if self.finished or self.ending is not None:
            return
        self.ending = ending
        if self.begun and self.task is not None:  # before that, the task sees `ending` when it begins
            self.task.cancel()
