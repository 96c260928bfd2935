"""The boundary around one run: whatever happens inside, it ends once, or is left to be gone on with, and its clients
are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import structlog

from headgate.core.context import SessionInfo
from headgate.core.errors import GatewayError, StoreError
from headgate.core.events import Pending, RunState, RunWaiting
from headgate.core.messages import ErrorInfo
from headgate.engine.decisions import Decisions
from headgate.engine.dispatch import Dispatch
from headgate.engine.inputs import Inputs
from headgate.engine.questions import Questions
from headgate.engine.recorder import Recorder
from headgate.engine.run import Run
from headgate.engine.runner import AgentRunner, Start
from headgate.engine.spill import Spill
from headgate.engine.stillness import Stillness
from headgate.stores.port import Ledger
from headgate.stores.records import Parked
from headgate.stores.told import Told
from headgate.stores.waits import WaitRecord

log = structlog.get_logger("headgate.run")

After = Literal["ended", "waiting", "queued", "left"]
"""What is to become of a run whose task has stopped: nothing, or somebody has to go on with it: after an answer, at
once, or later."""
STOPPING = ErrorInfo("stopping", "the gateway is stopping; the run goes on when it is back", retryable=True)
_LATER = frozenset({"store_locked", "store_full", "store_readonly", "store_closed", "fenced"})
"""Why a store cannot keep a run's end either, whatever it is."""


class Supervisor:
    """Conducts runs; `withdrawn(run, tool)` says why the live revision no longer lets the run use the tool, `folder`
    is where large results are kept."""

    def __init__(self, ledger: Ledger, withdrawn: Callable[[Run, str], str | None], folder: Path | None = None) -> None:
        self._ledger = ledger
        self._folder = folder
        self._withdrawn = withdrawn
        self.decisions = Decisions()

    async def conduct(self, run: Run, recorder: Recorder, start: Start) -> After:
        """Supervised boundary: whatever happens in a run, it ends with exactly one terminal event, or goes on later."""
        run.begun = True
        try:
            if run.ending is not None:
                return await self._cancelled(run, recorder)
            return await self._run(run, recorder, start)
        except asyncio.CancelledError:
            return await self._cancelled(run, recorder)
        except Exception as error:  # noqa: BLE001 -- supervised boundary
            return await self._failed(run, recorder, error)

    async def _run(self, run: Run, recorder: Recorder, start: Start) -> After:
        clock = asyncio.timeout(max(run.timeout, 0.0))
        stillness = Stillness(recorder.tally.skip)
        try:
            with Spill(self._folder, run.snapshot.gateway.limits.spill) as spill:
                async with clock:
                    with stillness.counted(clock):
                        stop = await self._runner(run, recorder, spill, stillness).run(start)
        except TimeoutError:
            if not clock.expired():
                raise
            reason = f"the run did not end within {run.progress.elapsed + run.timeout:g} s"
            await recorder.fail(ErrorInfo("run_timeout", reason), "timeout")
            return "ended"
        if stop == "waiting" and start.turn is not None:
            return await self._park(recorder, tuple(start.turn.waiting.values()))
        return await self._left(run, recorder, STOPPING) if stop == "left" else "ended"

    async def _park(self, recorder: Recorder, waits: tuple[WaitRecord, ...]) -> After:
        """The run gives its lease back, since it can only wait; it is queued when an answer has come meanwhile."""
        pending = tuple(Pending(w.id, w.kind, w.call_id, w.tool, w.expires_at) for w in waits)
        states: list[RunState] = []

        async def work(told: Told) -> None:
            parked = Parked(
                run_id=recorder.run_id, fence=recorder.fence, progress=recorder.tally.progress,
                waits=tuple(wait.id for wait in waits), told=told,
            )  # fmt: skip
            states.append(await self._ledger.park(parked))

        try:
            await recorder.keep(work, (RunWaiting(waits=pending), 0))
        except asyncio.CancelledError:  # too late: it waits already, and is ended by whoever takes it up for that
            return "left"
        recorder.tally.stop()
        return "queued" if states == ["queued"] else "waiting"

    def _runner(self, run: Run, recorder: Recorder, spill: Spill, stillness: Stillness) -> AgentRunner:
        order, snapshot = run.order, run.snapshot
        principal = order.principal
        session = SessionInfo(run.session_id, principal.team, principal.key, order.channel, principal.account)
        questions = Questions(run.plan, session, self._ledger, recorder, run.taint, decisions=self.decisions)
        inputs = Inputs(questions, run.bell, stillness, snapshot.scrub)
        dispatch = Dispatch(
            run.plan, session, recorder, questions, inputs, snapshot.scrub, partial(self._withdrawn, run),
            snapshot.gateway.limits.tool_output, spill, decisions=self.decisions, calling=run.calling,
        )  # fmt: skip
        system = run.plan.prompt.render(_scope(run, session))
        return AgentRunner(run.plan, run.choice, system, dispatch, recorder, run.session_id, run.bell)

    async def _cancelled(self, run: Run, recorder: Recorder) -> After:
        if run.ending is None:
            return await self._left(run, recorder, STOPPING)
        return await self._conclude(run, recorder, recorder.cancel(run.ending.reason, run.ending.outcome))

    async def _failed(self, run: Run, recorder: Recorder, error: Exception) -> After:
        info = _explain(error, run)
        if info.code in _LATER and isinstance(_first(error), StoreError):
            log.error("run.left", run=run.id, code=info.code, message=info.message)
            return await self._left(run, recorder, info)
        if info.code == "internal_error":
            log.error("run.crashed", run=run.id, exc_info=error)
        else:
            log.warning("run.failed", run=run.id, agent=run.plan.name, code=info.code, message=info.message)
        return await self._conclude(run, recorder, recorder.fail(info))

    async def _conclude(self, run: Run, recorder: Recorder, ending: Coroutine[Any, Any, None]) -> After:
        """Supervised boundary: an end that cannot be committed leaves the run as its last step did."""
        if recorder.ended:
            ending.close()
            return "ended"
        try:
            await ending
        except StoreError as error:
            log.error("run.end_not_committed", run=run.id, code=error.code, message=error.message)
            return await self._left(run, recorder, ErrorInfo(error.code, error.message, error.retryable))
        except Exception as error:
            log.error("run.end_not_committed", run=run.id, exc_info=error)
            return await self._left(run, recorder, _explain(error, run))
        return "ended"

    async def _left(self, run: Run, recorder: Recorder, reason: ErrorInfo) -> After:
        """The run is as its last committed step says; those who listen are told to come back. Unless this process is
        stopping it keeps the lease: it is the one that tries again, and not at once each time."""
        run.log.break_off(reason)
        try:
            await recorder.leave(release=reason is STOPPING)
        except StoreError as error:
            log.warning("run.not_released", run=run.id, code=error.code)
        return "left"


def _scope(run: Run, session: SessionInfo) -> dict[str, object]:
    now = datetime.now(UTC)
    spec = run.plan.spec
    return {
        "today": now.date().isoformat(),
        "now": now.isoformat(timespec="seconds"),
        "channel": run.order.channel,
        "input": run.order.input,
        "agent": {
            "name": run.plan.name,
            "description": spec.description,
            "display_name": spec.display_name or run.plan.name,
            "tags": ", ".join(spec.tags),
        },
        "session": {"id": session.id, "team": session.team, "key": session.key, "channel": session.channel},
    }


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _explain(error: Exception, run: Run) -> ErrorInfo:
    """A failure in words that a client may read."""
    first = _first(error)
    if isinstance(first, GatewayError):
        return ErrorInfo(first.code, run.snapshot.scrub(first.message), first.retryable)
    return ErrorInfo("internal_error", "the gateway failed; its log has the details")
