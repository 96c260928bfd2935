"""The only writer of a run's steps and events: commits first, then tells.

Deltas are told at once; everything that a client may rely on (a completed message, a tool's result, the end) is told
after its transaction is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from headgate.core.events import (
    Event,
    MessageCompleted,
    Outcome,
    RunCancelled,
    RunCompleted,
    RunEnd,
    RunFailed,
    TextDelta,
    ToolCompleted,
)
from headgate.core.messages import ErrorInfo, Message, ToolCall, ToolResult, Usage
from headgate.core.ports import TurnDone
from headgate.engine.eventlog import EventLog
from headgate.stores.records import EndState, Ledger, Produced, Progress, RunEndRecord, StepCommit, StepRecord

E = TypeVar("E", bound=Event)
_STATES: Mapping[type[RunEnd], EndState] = {
    RunCompleted: "completed",
    RunFailed: "failed",
    RunCancelled: "cancelled",
}


class Recorder:
    """Stamps and appends the events of one run, and commits its steps under its fence."""

    def __init__(
        self, run_id: str, ledger: Ledger, log: EventLog, *, fence: int = 1, clock: Callable[[], float] = time.time
    ) -> None:
        self.run_id = run_id
        self.turns = 0
        self.usage = Usage()
        self.cost = 0.0
        self.steps = 0
        self._ledger = ledger
        self._log = log
        self._fence = fence
        self._clock = clock
        self._said: list[str] = []
        self._saying: list[str] = []
        self._held: tuple[StepRecord, Produced] | None = None

    def now(self) -> float:
        """Epoch seconds."""
        return self._clock()

    def next_step(self) -> int:
        """The number of a step that begins now."""
        self.steps += 1
        return self.steps

    def emit(self, event: E, step: int = 0) -> E:
        """Stamps the event and tells it."""
        event.run, event.step, event.fence = self.run_id, step, self._fence
        event.at, event.n = self._clock(), len(self._log.events) + 1
        self._log.append(event)
        return event

    def say(self, text: str, step: int) -> None:
        """Tells a piece of the answer."""
        self._saying.append(text)
        self.emit(TextDelta(text=text), step)

    def unsay(self) -> None:
        """Forgets what was said in the turn that is being made again."""
        self._saying.clear()

    async def model_step(self, step: int, done: TurnDone, message: Message, started: float) -> None:
        """Takes a whole model turn. Without tool calls it is the last one, and is committed together with the end."""
        self.turns += 1
        self.usage += done.usage
        self.cost += done.cost or 0.0
        self._said += self._saying
        self._saying = []
        record = StepRecord(
            n=step, kind="model", name=done.model, started_at=started, ended_at=self.now(), usage=done.usage,
            cost=done.cost or 0.0,
        )  # fmt: skip
        self._held = (record, Produced(message, step))
        if message.calls:
            await self._commit()
        self.emit(MessageCompleted(text=message.text, usage=done.usage, model=done.model), step)

    async def tool_step(
        self,
        step: int,
        call: ToolCall,
        result: ToolResult,
        *,
        started: float,
        server: str | None,
        answer: Message | None,
    ) -> None:
        """Commits one tool call; `answer` is the message with the results of the whole turn, given with the last."""
        ended = self.now()
        record = StepRecord(
            n=step, kind="tool", name=call.name, call_id=call.id, args=call.args, result=result,
            status=result.status, started_at=started, ended_at=ended,
        )  # fmt: skip
        messages = (Produced(answer, step),) if answer else ()
        await self._ledger.commit_step(
            StepCommit(
                run_id=self.run_id, fence=self._fence, progress=self._progress(), steps=(record,), messages=messages
            )
        )
        self.emit(
            ToolCompleted(
                call_id=call.id,
                name=call.name,
                result=result,
                duration_ms=round((ended - started) * 1000),
                server=server,
            ),
            step,
        )

    async def _commit(self) -> None:
        steps, messages = self._take()
        await self._ledger.commit_step(
            StepCommit(run_id=self.run_id, fence=self._fence, progress=self._progress(), steps=steps, messages=messages)
        )

    def _take(self) -> tuple[tuple[StepRecord, ...], tuple[Produced, ...]]:
        held, self._held = self._held, None
        return ((held[0],), (held[1],)) if held else ((), ())

    def _progress(self) -> Progress:
        return Progress(turns=self.turns, usage=self.usage, cost=self.cost, answer="".join(self._said))

    async def complete(self, outcome: Outcome, limit: dict[str, Any] | None = None) -> None:
        """Ends the run by itself or by a limit."""
        await self._end(RunCompleted(**self._totals(outcome), limit=limit or {}))

    async def fail(self, error: ErrorInfo, outcome: Outcome = "error") -> None:
        """Ends the run by an error."""
        await self._end(RunFailed(**self._totals(outcome), error=error), error)

    async def cancel(self, reason: str, outcome: Outcome = "cancelled") -> None:
        """Ends the run because somebody or something wanted it to end."""
        await self._end(RunCancelled(**self._totals(outcome), reason=reason))

    def abandon(self, error: ErrorInfo) -> None:
        """Tells the end of a run whose end could not be committed."""
        self.emit(RunFailed(**self._totals("error"), error=error))

    def _totals(self, outcome: Outcome) -> dict[str, Any]:
        return {"outcome": outcome, "usage": self.usage, "cost": self.cost, "turns": self.turns}

    async def _end(self, event: RunEnd, error: ErrorInfo | None = None) -> None:
        self._said += self._saying
        self._saying = []
        steps, messages = self._take()
        await self._ledger.finish_run(
            RunEndRecord(
                run_id=self.run_id, fence=self._fence, state=_STATES[type(event)], outcome=event.outcome,
                ended_at=self.now(), progress=self._progress(), error=error, steps=steps, messages=messages,
            )
        )  # fmt: skip
        self.emit(event)
