"""The only writer of a run's steps and events: commits first, then tells.

Deltas are told at once; everything that a client may rely on (a completed message, a tool's result, the end) is told
after its transaction is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from headgate.core.messages import ErrorInfo, Message, ResultStatus, Text, ToolCall, ToolResult, Usage
from headgate.core.ports import TurnDone
from headgate.engine.eventlog import EventLog
from headgate.engine.unbroken import carry_out
from headgate.stores.records import EndState, Ledger, Produced, Progress, RunEndRecord, StepCommit, StepRecord

E = TypeVar("E", bound=Event)
_STATES: Mapping[type[RunEnd], EndState] = {
    RunCompleted: "completed",
    RunFailed: "failed",
    RunCancelled: "cancelled",
}


@dataclass(frozen=True, slots=True)
class _Open:
    """A model turn that is being made."""

    step: int
    model: str
    started: float


@dataclass(frozen=True, slots=True)
class _Held:
    """A whole model turn that is not committed yet, and the event that tells it."""

    record: StepRecord
    produced: Produced
    told: MessageCompleted


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
        self._open: _Open | None = None
        self._held: _Held | None = None

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

    def begin_turn(self, step: int, model: str) -> None:
        """A model turn begins; if the run ends in the middle of it, what was said until then is kept."""
        self._open = _Open(step, model, self.now())

    async def model_step(self, done: TurnDone, message: Message, *, last: bool) -> None:
        """Takes a whole model turn; the last one of a run is committed together with the run's end."""
        began, self._open = self._open, None
        if began is None:
            raise RuntimeError("no model turn has begun")
        self.turns += 1
        self.usage += done.usage
        self.cost += done.cost or 0.0
        self._said += self._saying
        self._saying = []
        record = StepRecord(
            n=began.step, kind="model", name=done.model, started_at=began.started, ended_at=self.now(),
            usage=done.usage, cost=done.cost or 0.0,
        )  # fmt: skip
        told = MessageCompleted(text=message.text, usage=done.usage, model=done.model)
        self._held = _Held(record, Produced(message, began.step), told)
        if not last and await carry_out(self._commit()):
            raise asyncio.CancelledError

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
        """Commits one tool call, even when cancelled meanwhile; `answer` holds the results of the whole turn and is
        given with the last of them."""
        ended = self.now()
        record = StepRecord(
            n=step, kind="tool", name=call.name, call_id=call.id, args=call.args, result=result,
            status=result.status, started_at=started, ended_at=ended,
        )  # fmt: skip
        commit = self._step(record, Produced(answer, step) if answer else None)
        cancelled = await carry_out(self._ledger.commit_step(commit))
        duration = int((ended - started) * 1000)
        self.emit(
            ToolCompleted(call_id=call.id, name=call.name, result=result, duration_ms=duration, server=server), step
        )
        if cancelled:
            raise asyncio.CancelledError

    async def _commit(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            await self._ledger.commit_step(self._step(held.record, held.produced))
            self.emit(held.told, held.record.n)

    def _step(self, record: StepRecord, produced: Produced | None) -> StepCommit:
        messages = (produced,) if produced else ()
        return StepCommit(
            run_id=self.run_id, fence=self._fence, progress=self._progress(), steps=(record,), messages=messages
        )

    def _progress(self) -> Progress:
        return Progress(turns=self.turns, usage=self.usage, cost=self.cost, answer="".join(self._said))

    async def complete(self, outcome: Outcome, limit: dict[str, Any] | None = None) -> None:
        """Ends the run by itself or by a limit."""
        await self._end(RunCompleted(**self._totals(outcome), limit=limit or {}))

    async def fail(self, error: ErrorInfo, outcome: Outcome = "error") -> None:
        """Ends the run by an error."""
        self._break_off("error")
        await self._end(RunFailed(**self._totals(outcome), error=error), error)

    async def cancel(self, reason: str, outcome: Outcome = "cancelled") -> None:
        """Ends the run because somebody or something wanted it to end."""
        self._break_off("cancelled")
        await self._end(RunCancelled(**self._totals(outcome), reason=reason))

    def abandon(self, error: ErrorInfo) -> None:
        """Tells the end of a run whose end could not be committed."""
        self.emit(RunFailed(**self._totals("error"), error=error))

    @property
    def ended(self) -> bool:
        """Whether the terminal event has been told."""
        return self._log.ended

    def _totals(self, outcome: Outcome) -> dict[str, Any]:
        return {"outcome": outcome, "usage": self.usage, "cost": self.cost, "turns": self.turns}

    def _break_off(self, status: ResultStatus) -> None:
        """Keeps what an unfinished model turn said: the client has seen it, and will post it back."""
        began, self._open = self._open, None
        text, self._saying = "".join(self._saying), []
        if began is None or not text:
            return
        self._said.append(text)
        record = StepRecord(
            n=began.step, kind="model", name=began.model, started_at=began.started, ended_at=self.now(), status=status
        )
        told = MessageCompleted(text=text, usage=Usage(), model=began.model)
        self._held = _Held(record, Produced(Message("assistant", (Text(text),)), began.step), told)

    async def _end(self, event: RunEnd, error: ErrorInfo | None = None) -> None:
        """Commits the end, then tells it. A cancellation comes too late here: the run has ended."""
        held, self._held = self._held, None
        end = RunEndRecord(
            run_id=self.run_id, fence=self._fence, state=_STATES[type(event)], outcome=event.outcome,
            ended_at=self.now(), progress=self._progress(), error=error,
            steps=(held.record,) if held else (), messages=(held.produced,) if held else (),
        )  # fmt: skip
        await carry_out(self._ledger.finish_run(end))
        if held is not None and held.record.status == "ok":
            self.emit(held.told, held.record.n)
        self.emit(event)
