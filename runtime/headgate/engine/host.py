"""The holder of the live snapshot and of the runs in progress.

`submit` is the one way to a run, whatever API asked: it leases the snapshot, commits the run, and starts the task that
owns it. `swap` is one assignment; what tightens security reaches running work at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path

from headgate.compile.plan import AgentPlan, ModelChoice, Snapshot
from headgate.compile.planned import BUILT_IN
from headgate.core.context import Principal
from headgate.core.errors import Invalid, NotFound, Overloaded, Unavailable
from headgate.engine.eventlog import EventLog
from headgate.engine.run import Ending, Order, Run
from headgate.engine.sessions import Session, Sessions
from headgate.engine.streams import Streams, Subscription
from headgate.engine.supervisor import Supervisor
from headgate.engine.transcript import Transcript, join
from headgate.engine.unbroken import carry_out
from headgate.stores.records import Ledger, NewRun, new_run_id

SCOPE = "chat"
"""What a principal needs to have runs."""


class Host:
    """Runs agents of the live snapshot; `folder` is where large results of tools are kept."""

    def __init__(self, ledger: Ledger, snapshot: Snapshot, folder: Path | None = None) -> None:
        self.ledger = ledger
        self.sessions = Sessions(ledger)
        self.snapshot = snapshot
        self.streams = Streams()
        self._supervisor = Supervisor(ledger, self._withdrawn, folder)
        self.runs: dict[str, Run] = {}
        self.draining = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining: dict[Snapshot, asyncio.TimerHandle] = {}
        self._closing: list[Snapshot] = []

    # -- one turn ---------------------------------------------------------------------------------------------------

    def check(self, order: Order, session: Session | None = None) -> None:
        """Raises the `RequestError` for which `submit` would refuse the order now; a run of the session that the order
        supersedes does not count."""
        self._admit(self.snapshot, order, session)
        self._planned(self.snapshot, order)

    async def submit(self, order: Order, session: Session | None = None) -> Run:
        """Creates, commits and starts a run; raises `RequestError` when it cannot be had, `StoreError` when it cannot
        be committed. A run whose caller is cancelled before it starts is cancelled too."""
        snapshot = self.snapshot
        self._admit(snapshot, order)
        plan, choice = self._planned(snapshot, order)
        run = Run(new_run_id(), order, snapshot.acquire(), plan, choice, EventLog(), session.id if session else "")
        self._hold(run)
        try:
            transcript = await self._transcript(order, session)
            deserted = await carry_out(self.ledger.create_run(self._new(run, transcript, session)))
            run.task = asyncio.create_task(self._conduct(run, transcript), name=f"run {run.id}")
        finally:
            if run.task is None:
                self._release(run)
        if session is not None:
            session.begin(run)
        if deserted:
            run.cancel(Ending("the caller has gone"))
            raise asyncio.CancelledError
        return run

    async def converse(self, order: Order, session: Session) -> Subscription:
        """A run of a session that one connection streams (D2): raises `Conflict` while another does, and ends a run
        that nobody listens to any more; its steps stay."""
        session.require_idle()
        self.check(order, session)
        slot = self.streams.take(order.principal.key, self.snapshot.gateway.server.limits.streams_per_key)
        session.opening = True
        subscription = None
        try:
            await self._supersede(session)
            subscription = Subscription(await self.submit(order, session), slot)
        finally:
            session.opening = False
            if subscription is None:
                slot.free()
        return subscription

    async def _supersede(self, session: Session) -> None:
        if session.run is not None and session.run.task is not None:
            session.run.cancel(Ending("the conversation went on without this run"))
            await asyncio.wait([session.run.task])

    def _admit(self, snapshot: Snapshot, order: Order, session: Session | None = None) -> None:
        if self.draining:
            raise Unavailable("the gateway is shutting down", code="draining", details={"retry_after": 5})
        superseded = session.run if session is not None else None
        limit = snapshot.gateway.server.limits.runs
        running = [run for run in self.runs.values() if run is not superseded]
        if len(running) >= limit:
            raise Unavailable(f"{limit} runs are in progress already", code="too_many_runs", details={"retry_after": 1})
        key, limit = order.principal.key, snapshot.gateway.limits.runs_per_key
        if sum(run.order.principal.key == key for run in running) >= limit:
            raise Overloaded(
                f"key {key!r} has {limit} runs in progress already", code="too_many_runs", details={"retry_after": 1}
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

    async def _conduct(self, run: Run, transcript: Transcript) -> None:
        try:
            await self._supervisor.conduct(run, transcript.messages)
        finally:
            self._release(run)

    def _hold(self, run: Run) -> None:
        self.runs[run.id] = run
        self._idle.clear()

    def _release(self, run: Run) -> None:
        self.runs.pop(run.id, None)
        run.snapshot.release()
        if not self.runs:
            self._idle.set()

    # -- one edit ---------------------------------------------------------------------------------------------------

    def swap(self, snapshot: Snapshot) -> None:
        """Makes the snapshot the live one and retires the one before; never waits."""
        old, self.snapshot = self.snapshot, snapshot
        for run in list(self.runs.values()):
            live = snapshot.principals.get(run.order.principal.digest)
            if live is None or live.key != run.order.principal.key or not _may(live, run):
                run.cancel(Ending("the key may no longer call this agent", "revoked"))
        if old is not snapshot:
            self._retire(old, snapshot.gateway.reload.drain)

    def _retire(self, old: Snapshot, drain: float) -> None:
        self._draining = {each: timer for each, timer in self._draining.items() if each.leases > 0}
        if old.leases > 0:
            self._draining[old] = asyncio.get_running_loop().call_later(drain, self._drain, old)
        self._closing = [each for each in (*self._closing, old) if not each.gone]
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
        offered = tool in shaped.tools or tool in BUILT_IN
        return None if offered else f"tool {tool!r} is no longer offered to agent {run.plan.name!r}"

    # -- the end ----------------------------------------------------------------------------------------------------

    async def stop(self, grace: float) -> None:
        """Takes no new run, lets running ones end within `grace` seconds, cancels the rest, and closes everything."""
        self.draining = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._idle.wait()
        for run in list(self.runs.values()):
            run.cancel(Ending("the gateway is stopping"))
        await self._idle.wait()
        for timer in self._draining.values():
            timer.cancel()
        self.snapshot.retire()
        for snapshot in (*self._closing, self.snapshot):
            await snapshot.closed()


def _may(principal: Principal, run: Run) -> bool:
    return principal.sees_agent(run.plan.name) and principal.allows(SCOPE)
