"""The holder of the live snapshot and of the runs in progress.

`submit` is the one way to a run, whatever API asked: it leases the snapshot, commits the run, and starts the task that
owns it. `swap` is one assignment; what tightens security reaches running work at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime

import structlog

from headgate.compile.plan import AgentPlan, ModelChoice, Snapshot
from headgate.core.context import SessionInfo
from headgate.core.errors import GatewayError, Invalid, NotFound, Overloaded, StoreError
from headgate.core.events import RunStarted
from headgate.core.messages import ErrorInfo, Message
from headgate.engine.dispatch import Dispatch
from headgate.engine.eventlog import EventLog, Follower
from headgate.engine.recorder import Recorder
from headgate.engine.run import Ending, Order, Run
from headgate.engine.runner import AgentRunner
from headgate.engine.sessions import Session, Sessions
from headgate.engine.transcript import Transcript, join
from headgate.stores.records import Ledger, NewRun, new_run_id

log = structlog.get_logger("headgate.host")


class Host:
    """Runs agents of the live snapshot."""

    def __init__(self, ledger: Ledger, snapshot: Snapshot) -> None:
        self.ledger = ledger
        self.sessions = Sessions(ledger)
        self.snapshot = snapshot
        self.runs: dict[str, Run] = {}
        self.draining = False

    # -- one turn ---------------------------------------------------------------------------------------------------

    async def submit(self, order: Order, session: Session | None = None) -> Run:
        """Creates, commits and starts a run; raises `RequestError` when it cannot be had, `StoreError` when it cannot
        be committed."""
        snapshot = self.snapshot
        self._admit(snapshot)
        plan, choice = self._planned(snapshot, order)
        run = Run(new_run_id(), order, snapshot.acquire(), plan, choice, EventLog(), session.id if session else "")
        self.runs[run.id] = run
        try:
            transcript = await self._transcript(order, session)
            await self.ledger.create_run(self._new(run, transcript, session))
            if session is not None:
                session.head_run, session.run = run.id, run
            run.task = asyncio.create_task(self._supervise(run, transcript), name=f"run {run.id}")
        finally:
            if run.task is None:
                self._release(run)
        return run

    async def converse(self, order: Order, session: Session) -> tuple[Run, Follower]:
        """A run of a session that one connection streams (D2): raises `Conflict` while another does, and ends a run
        that nobody listens to any more; its steps stay."""
        session.require_idle()
        session.opening = True
        try:
            if session.run is not None and session.run.task is not None:
                session.run.cancel(Ending("the conversation went on without this run"))
                await asyncio.wait([session.run.task])
            run = await self.submit(order, session)
            return run, run.follow()
        finally:
            session.opening = False

    def _admit(self, snapshot: Snapshot) -> None:
        if self.draining:
            raise Overloaded("the gateway is shutting down", code="draining", details={"retry_after": 5})
        if len(self.runs) >= snapshot.gateway.server.limits.runs:
            raise Overloaded(
                "the gateway runs as many runs as it may", code="too_many_runs", details={"retry_after": 1}
            )

    def _planned(self, snapshot: Snapshot, order: Order) -> tuple[AgentPlan, ModelChoice]:
        plan = snapshot.agents.get(order.agent)
        if plan is None or not order.principal.sees_agent(order.agent):
            raise NotFound(f"there is no agent {order.agent!r}", code="agent_not_found")
        if order.profile is not None and order.profile not in plan.spec.profiles:
            raise Invalid(f"agent {order.agent!r} has no profile {order.profile!r}", code="invalid_profile")
        wrong = plan.input_violations(order.input) if plan.input_violations else []
        if wrong:
            raise Invalid("context.input does not match the agent's input", details={"errors": wrong})
        choice = plan.models.get(order.model) if order.model is not None else plan.choice
        if choice is None:
            raise Invalid(f"Invalid model: {order.model}", code="invalid_model")
        return plan.shaped(order.principal, order.channel, order.profile or order.principal.profile), choice

    async def _transcript(self, order: Order, session: Session | None) -> Transcript:
        if session is None or session.head_run is None:
            return join((), order.messages)
        return join(await self.ledger.conversation(session.id), order.messages)

    def _new(self, run: Run, transcript: Transcript, session: Session | None) -> NewRun:
        principal = run.order.principal
        return NewRun(
            id=run.id, agent=run.plan.name, principal=principal.key, team=principal.team, model=run.choice.model,
            revision=run.snapshot.revision, created_at=datetime.now(UTC).timestamp(), messages=transcript.posted,
            session_id=session.id if session else None, prior_run=transcript.prior_run, channel=run.order.channel,
        )  # fmt: skip

    async def _supervise(self, run: Run, transcript: Transcript) -> None:
        """Supervised boundary: whatever happens in a run ends it with exactly one terminal event."""
        recorder = Recorder(run.id, self.ledger, run.log)
        run.begun = True
        try:
            recorder.emit(RunStarted(agent=run.plan.name, revision=run.snapshot.revision, model=run.choice.model))
            if run.ending is None:
                await self._run(run, recorder, transcript.messages)
            else:
                await self._cancelled(run, recorder)
        except asyncio.CancelledError:
            await self._cancelled(run, recorder)
        except Exception as error:  # noqa: BLE001 -- supervised boundary
            await self._failed(run, recorder, error)
        finally:
            self._release(run)

    async def _run(self, run: Run, recorder: Recorder, messages: tuple[Message, ...]) -> None:
        runner = self._runner(run, recorder)
        clock = asyncio.timeout(run.plan.spec.timeout)
        try:
            async with clock:
                await runner.run(messages)
        except TimeoutError:
            if not clock.expired():
                raise
            reason = f"the run did not end within {run.plan.spec.timeout:g} s"
            await recorder.fail(ErrorInfo("run_timeout", reason), "timeout")

    def _runner(self, run: Run, recorder: Recorder) -> AgentRunner:
        order, snapshot = run.order, run.snapshot
        session = SessionInfo(run.session_id, order.principal.team, order.principal.key, order.channel)
        dispatch = Dispatch(
            run.plan, session, recorder, snapshot.scrub, lambda tool: self._withdrawn(run, tool),
            snapshot.gateway.limits.tool_output,
        )  # fmt: skip
        system = run.plan.prompt.render(_scope(run, session))
        return AgentRunner(run.plan, run.choice, system, dispatch, recorder, run.session_id)

    async def _cancelled(self, run: Run, recorder: Recorder) -> None:
        ending = run.ending or Ending("the gateway is stopping")
        await self._conclude(recorder, run, asyncio.shield(recorder.cancel(ending.reason, ending.outcome)))

    async def _failed(self, run: Run, recorder: Recorder, error: Exception) -> None:
        info = _explain(error, run)
        if info.code == "internal_error":
            log.error("run.crashed", run=run.id, exc_info=error)
        else:
            log.warning("run.failed", run=run.id, agent=run.plan.name, code=info.code, message=info.message)
        await self._conclude(recorder, run, recorder.fail(info))

    async def _conclude(self, recorder: Recorder, run: Run, ending: Awaitable[None]) -> None:
        try:
            await ending
        except StoreError as error:
            log.error("run.end_not_committed", run=run.id, code=error.code, message=error.message)
            recorder.abandon(ErrorInfo(error.code, error.message))

    def _release(self, run: Run) -> None:
        self.runs.pop(run.id, None)
        run.snapshot.release()

    # -- one edit ---------------------------------------------------------------------------------------------------

    def swap(self, snapshot: Snapshot) -> None:
        """Makes the snapshot the live one and retires the one before; never waits."""
        old, self.snapshot = self.snapshot, snapshot
        for run in list(self.runs.values()):
            live = snapshot.principals.get(run.order.principal.digest)
            if live is None or not live.sees_agent(run.plan.name):
                run.cancel(Ending("the key may no longer call this agent", "revoked"))
        if old is not snapshot:
            asyncio.get_running_loop().call_later(snapshot.gateway.reload.drain, self._drain, old)
            old.retire()

    def _drain(self, old: Snapshot) -> None:
        for run in list(self.runs.values()):
            if run.snapshot is old:
                run.cancel(Ending("the revision that the run started on is retired", "revoked"))

    def _withdrawn(self, run: Run, tool: str) -> str | None:
        """Why the live revision no longer lets this run use the tool, or None."""
        live = self.snapshot
        if live is run.snapshot:
            return None
        plan = live.agents.get(run.plan.name)
        principal = live.principals.get(run.order.principal.digest)
        if plan is None or principal is None:
            return f"agent {run.plan.name!r} is no longer offered"
        shaped = plan.shaped(principal, run.order.channel, run.order.profile or principal.profile)
        return None if tool in shaped.tools else f"tool {tool!r} is no longer offered to agent {run.plan.name!r}"

    # -- the end ----------------------------------------------------------------------------------------------------

    async def stop(self, grace: float) -> None:
        """Takes no new run, lets running ones end within `grace` seconds, and cancels the rest."""
        self.draining = True
        tasks = [run.task for run in self.runs.values() if run.task is not None]
        if tasks and grace > 0:
            await asyncio.wait(tasks, timeout=grace)
        for run in list(self.runs.values()):
            run.cancel(Ending("the gateway is stopping"))
        left = [run.task for run in self.runs.values() if run.task is not None]
        if left:
            await asyncio.wait(left)
        self.snapshot.retire()
        await self.snapshot.closed()


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
