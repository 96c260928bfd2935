"""The only writer of a run's steps and events: commits first, then tells.

Deltas are told at once and kept a moment later; everything that a client may rely on (a completed message, a tool's
result, a question, the end) is kept in the transaction of its step, and told after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from headgate.core.events import (
    Delta,
    Event,
    Outcome,
    RunCancelled,
    RunCompleted,
    RunEnd,
    RunFailed,
    TextDelta,
    ThinkingDelta,
    ToolCompleted,
)
from headgate.core.messages import ErrorInfo, Message, ResultStatus, ToolCall, ToolResult
from headgate.core.ports import TurnDone
from headgate.engine.accounts import Account
from headgate.engine.tally import Tally
from headgate.engine.teller import Teller
from headgate.engine.utterance import Held, Utterance
from headgate.engine.witness import Witness
from headgate.stores.audit import AuditEntry
from headgate.stores.port import Ledger
from headgate.stores.records import (
    EndState,
    Lease,
    NewRun,
    Produced,
    Progress,
    RunEndRecord,
    StepCommit,
    StepRecord,
)
from headgate.stores.told import Told

E = TypeVar("E", bound=Event)
_STATES: Mapping[type[RunEnd], EndState] = {
    RunCompleted: "completed",
    RunFailed: "failed",
    RunCancelled: "cancelled",
}


class Recorder:
    """Stamps and appends the events of one run, and commits its steps under its fence."""

    def __init__(
        self, ledger: Ledger, teller: Teller, progress: Progress | None = None, steps: int = 0,
        witness: Witness | None = None, account: Account | None = None,
    ) -> None:  # fmt: skip
        """`progress` and `steps` are those of the run's owners before."""
        self.tally = Tally(teller, progress or Progress(), account or Account())
        self.witness = witness or Witness(teller.run_id)
        self.run_id, self.fence = teller.run_id, teller.fence
        self.steps = steps
        self._ledger = ledger
        self._teller = teller
        self._open: Utterance | None = None
        self._deltas: list[Delta] = []
        self._held: Held | None = None

    def now(self) -> float:
        """Epoch seconds."""
        return self._teller.clock()

    def next_step(self) -> int:
        """The number of a step that begins now."""
        self.steps += 1
        return self.steps

    def emit(self, event: E, step: int = 0) -> E:
        """Tells an event at once, and has it kept soon."""
        return self._teller.tell(event, step)

    def say(self, text: str, step: int) -> None:
        """Tells a piece of the answer."""
        self._deltas.append(self._teller.say(TextDelta, text, step))

    def think(self, text: str, step: int) -> None:
        """Tells a piece of the model's thinking."""
        self._deltas.append(self._teller.say(ThinkingDelta, text, step))

    def unsay(self) -> None:
        """Forgets what was said in the turn that is being made again."""
        self._deltas.clear()

    def note(self, entry: AuditEntry) -> None:
        """Has the audit log tell this with the next transaction of the run."""
        self._teller.note(entry)

    async def keep(
        self, work: Callable[[Told], Coroutine[Any, Any, Any]], *events: tuple[Event, int],
        audit: tuple[AuditEntry, ...] = (),
    ) -> None:  # fmt: skip
        """Carries out one transaction, even when cancelled meanwhile, and then tells its events, each with its step."""
        if await self._teller.keep(work, *events, audit=audit):
            raise asyncio.CancelledError

    async def begin(self, new: NewRun, lease: Lease, event: Event) -> bool:
        """Keeps a new run; returns whether the caller was cancelled meanwhile."""
        audit = (self.witness.began(new),)
        return await self._teller.keep(lambda told: self._ledger.create_run(new, lease, told), (event, 0), audit=audit)

    def begin_turn(self, step: int, model: str) -> None:
        """A model turn begins; if the run ends in the middle of it, what was said until then is kept."""
        self._open = Utterance(step, model, self.now())
        self._deltas = self._open.deltas

    async def model_step(self, done: TurnDone, message: Message, *, last: bool) -> None:
        """Takes a whole model turn; the last one of a run is committed together with the run's end."""
        began, self._open = self._open, None
        if began is None:
            raise RuntimeError("no model turn has begun")
        self.tally.turn(done, began.step, began.text)
        self._held = began.whole(done, message, self.now())
        if not last:
            await self.commit_turn()

    async def commit_turn(self) -> None:
        """Commits the model turn that is held, if there is one, even when cancelled meanwhile."""
        held, self._held = self._held, None
        if held is None:
            return

        def work(told: Told) -> Coroutine[Any, Any, None]:
            return self._ledger.commit_step(self._step(held.record, held.produced, told))

        told = [(held.event, held.record.n)] if held.event is not None else []
        if await self._teller.keep(work, *told, deltas=held.deltas):
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
        forget: bool = False,
    ) -> None:
        """Commits one tool call, even when cancelled meanwhile; `answer` holds the results of the whole turn and is
        given with the last of them. With `forget`, what somebody has entered for the call is not kept any longer."""
        ended = self.now()
        record = StepRecord(
            n=step, kind="tool", name=call.name, call_id=call.id, args=call.args, result=result,
            status=result.status, started_at=started, ended_at=ended,
        )  # fmt: skip
        produced = Produced(answer, step) if answer else None

        def work(told: Told) -> Coroutine[Any, Any, None]:
            commit = self._step(record, produced, told)
            return self._ledger.commit_step(replace(commit, forget=(step,)) if forget else commit)

        duration = int((ended - started) * 1000)
        event = ToolCompleted(call_id=call.id, name=call.name, result=result, duration_ms=duration, server=server)
        await self.keep(work, (event, step), audit=(self.witness.called(record, server),))

    async def answer(self, message: Message, step: int) -> None:
        """Commits the message with the results of a turn whose steps are committed without it."""
        produced = Produced(message, step)
        await self.keep(lambda told: self._ledger.commit_step(self._step(None, produced, told)))

    def _step(self, record: StepRecord | None, produced: Produced | None, told: Told) -> StepCommit:
        return StepCommit(
            run_id=self.run_id, fence=self.fence, progress=self.tally.progress, steps=(record,) if record else (),
            messages=(produced,) if produced else (), told=told,
        )  # fmt: skip

    async def complete(self, outcome: Outcome, limit: dict[str, Any] | None = None) -> None:
        """Ends the run by itself or by a limit."""
        await self._end(RunCompleted(**self.tally.totals(outcome), limit=limit or {}))

    async def fail(self, error: ErrorInfo, outcome: Outcome = "error") -> None:
        """Ends the run by an error."""
        self._break_off("error")
        await self._end(RunFailed(**self.tally.totals(outcome), error=error), error)

    async def cancel(self, reason: str, outcome: Outcome = "cancelled") -> None:
        """Ends the run because somebody or something wanted it to end."""
        self._break_off("cancelled")
        await self._end(RunCancelled(**self.tally.totals(outcome), reason=reason))

    @property
    def ended(self) -> bool:
        """Whether the terminal event has been told."""
        return self._teller.log.ended

    def _break_off(self, status: ResultStatus) -> None:
        """Keeps what an unfinished model turn said: the client has seen it, and will post it back."""
        began, self._open = self._open, None
        if began is None or not began.text:
            return
        self.tally.said += began.text
        self._held = began.broken(status, self.now())

    async def _end(self, event: RunEnd, error: ErrorInfo | None = None) -> None:
        """Commits the end, then tells it. A cancellation comes too late here: the run has ended."""
        held = self._held

        def work(told: Told) -> Coroutine[Any, Any, None]:
            end = RunEndRecord(
                run_id=self.run_id, fence=self.fence, state=_STATES[type(event)], outcome=event.outcome,
                ended_at=self.now(), progress=self.tally.progress, error=error,
                steps=(held.record,) if held else (), messages=(held.produced,) if held else (), told=told,
            )  # fmt: skip
            return self._ledger.finish_run(end)

        last = [(held.event, held.record.n)] if held is not None and held.event is not None else []
        deltas, audit = held.deltas if held is not None else (), (self.witness.ended(event, self.now()),)
        await self._teller.keep(work, *last, (event, 0), deltas=deltas, audit=audit)
        self._held = None
        self.tally.stop()
        self._teller.rest()

    async def leave(self, *, release: bool) -> None:
        """Keeps what was told, and gives the run's lease back if another owner shall go on; raises `StoreError`."""
        self.tally.stop()
        self._teller.rest()
        batch = self._teller.take()
        if batch is not None:
            await self._ledger.append_events([batch])
        if release:
            await self._ledger.release(self.run_id, self.fence)
