"""The boundary around one run: whatever happens inside, it ends once, and its clients are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from headgate.core.context import SessionInfo
from headgate.core.errors import GatewayError, StoreError
from headgate.core.events import RunStarted
from headgate.core.messages import ErrorInfo, Message
from headgate.engine.dispatch import Dispatch
from headgate.engine.recorder import Recorder
from headgate.engine.run import Ending, Run
from headgate.engine.runner import AgentRunner
from headgate.engine.spill import Spill
from headgate.stores.records import Ledger

log = structlog.get_logger("headgate.run")


class Supervisor:
    """Conducts runs; `withdrawn(run, tool)` says why the live revision no longer lets the run use the tool, `folder`
    is where large results are kept."""

    def __init__(self, ledger: Ledger, withdrawn: Callable[[Run, str], str | None], folder: Path | None = None) -> None:
        self._ledger = ledger
        self._folder = folder
        self._withdrawn = withdrawn

    async def conduct(self, run: Run, messages: tuple[Message, ...]) -> None:
        """Supervised boundary: whatever happens in a run ends it with exactly one terminal event."""
        recorder = Recorder(run.id, self._ledger, run.log)
        run.begun = True
        try:
            recorder.emit(RunStarted(agent=run.plan.name, revision=run.snapshot.revision, model=run.choice.model))
            if run.ending is None:
                await self._run(run, recorder, messages)
            else:
                await self._cancelled(run, recorder)
        except asyncio.CancelledError:
            await self._cancelled(run, recorder)
        except Exception as error:  # noqa: BLE001 -- supervised boundary
            await self._failed(run, recorder, error)

    async def _run(self, run: Run, recorder: Recorder, messages: tuple[Message, ...]) -> None:
        clock = asyncio.timeout(run.plan.spec.timeout)
        try:
            with Spill(self._folder, run.snapshot.gateway.limits.spill) as spill:
                async with clock:
                    await self._runner(run, recorder, spill).run(messages)
        except TimeoutError:
            if not clock.expired():
                raise
            reason = f"the run did not end within {run.plan.spec.timeout:g} s"
            await recorder.fail(ErrorInfo("run_timeout", reason), "timeout")

    def _runner(self, run: Run, recorder: Recorder, spill: Spill) -> AgentRunner:
        order, snapshot = run.order, run.snapshot
        session = SessionInfo(run.session_id, order.principal.team, order.principal.key, order.channel)
        dispatch = Dispatch(
            run.plan, session, recorder, snapshot.scrub, partial(self._withdrawn, run),
            snapshot.gateway.limits.tool_output, spill,
        )  # fmt: skip
        system = run.plan.prompt.render(_scope(run, session))
        return AgentRunner(run.plan, run.choice, system, dispatch, recorder, run.session_id)

    async def _cancelled(self, run: Run, recorder: Recorder) -> None:
        ending = run.ending or Ending("the gateway is stopping")
        await self._conclude(recorder, run, recorder.cancel(ending.reason, ending.outcome))

    async def _failed(self, run: Run, recorder: Recorder, error: Exception) -> None:
        info = _explain(error, run)
        if info.code == "internal_error":
            log.error("run.crashed", run=run.id, exc_info=error)
        else:
            log.warning("run.failed", run=run.id, agent=run.plan.name, code=info.code, message=info.message)
        await self._conclude(recorder, run, recorder.fail(info))

    async def _conclude(self, recorder: Recorder, run: Run, ending: Coroutine[Any, Any, None]) -> None:
        """Supervised boundary: an end that cannot be committed is told all the same, or clients would wait for ever."""
        if recorder.ended:
            ending.close()
            return
        try:
            await ending
        except StoreError as error:
            log.error("run.end_not_committed", run=run.id, code=error.code, message=error.message)
            recorder.abandon(ErrorInfo(error.code, error.message))
        except Exception as error:
            log.error("run.end_not_committed", run=run.id, exc_info=error)
            recorder.abandon(_explain(error, run))


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


def _explain(error: Exception, run: Run) -> ErrorInfo:
    """A failure in words that a client may read."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, GatewayError):
        return ErrorInfo(error.code, run.snapshot.scrub(error.message), error.retryable)
    return ErrorInfo("internal_error", "the gateway failed; its log has the details")
