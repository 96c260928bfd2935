"""The holder of the live snapshot and of the runs in progress.

`submit` is the one way to a new run, whatever API asked: it leases the snapshot, commits the run, and starts the task
that owns it. `swap` is one assignment; what tightens security reaches running work at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from pathlib import Path

import structlog

from headgate.compile.plan import Snapshot
from headgate.core.context import Principal
from headgate.core.errors import Conflict, NotFound, Unavailable
from headgate.core.events import ENDED, EventId, RunStarted
from headgate.engine.abandon import abandon
from headgate.engine.accounts import Accounts
from headgate.engine.admission import Admitted, admit, planned, withdrawn
from headgate.engine.audience import Audience
from headgate.engine.auditor import Auditor
from headgate.engine.flusher import Flusher
from headgate.engine.leftovers import Leftovers
from headgate.engine.logs import Logs
from headgate.engine.opening import new_run, witness_of
from headgate.engine.recorder import Recorder
from headgate.engine.resume import progress_of, starting_point
from headgate.engine.revisions import Revisions
from headgate.engine.run import Ending, Order, Run
from headgate.engine.runner import Start
from headgate.engine.running import Running
from headgate.engine.sessions import Session, Sessions
from headgate.engine.streams import Streams, Subscription
from headgate.engine.supervisor import STOPPING, After, Supervisor
from headgate.engine.teller import Teller
from headgate.engine.transcript import Transcript, go_on, join
from headgate.engine.visitors import Visitors
from headgate.engine.warden import Warden
from headgate.engine.witness import Witness
from headgate.stores.port import Ledger
from headgate.stores.records import Lease, RunRecord, new_run_id
from headgate.stores.waits import Answer, WaitRecord

log = structlog.get_logger("headgate.host")

LEASE = 10.0
"""Seconds that a run belongs to its process without being renewed."""


class Host:
    """Runs agents of the live snapshot; `folder` is where large results of tools are kept."""

    def __init__(
        self, ledger: Ledger, snapshot: Snapshot, folder: Path | None = None, guest: Principal | None = None
    ) -> None:
        """`guest` may have runs though no key stands for it."""
        self.ledger = ledger
        self.sessions = Sessions(ledger)
        self.logs = Logs(ledger)
        self.streams = Streams()
        self.flusher = Flusher(ledger)
        self.lease = Lease(f"gateway_{secrets.token_hex(8)}", LEASE)
        self.auditor, self.accounts = Auditor(ledger), Accounts(ledger, owner=self.lease.owner)
        self.runs = Running()
        self.audience = Audience(self.streams, self.logs, self.runs)
        self.left = Leftovers()
        self.guest = guest
        self.draining = False
        self.poke: Callable[[], None] = _nobody
        self._supervisor = Supervisor(ledger, self._withdrawn, folder)
        self.decisions = self._supervisor.decisions
        self.revisions = Revisions(snapshot, self._overdue)
        self.warden, self.visitors = Warden(self), Visitors(lambda: self.snapshot.gateway.auth.oidc)

    @property
    def snapshot(self) -> Snapshot:
        """The live revision."""
        return self.revisions.live

    def principal(self, digest: str) -> Principal | None:
        """Who has this digest, as the live revision knows them; nobody any more when their time is over."""
        if self.guest is not None and digest == self.guest.digest:
            return self.guest
        return self.warden.current(self.snapshot.principals.get(digest)) or self.visitors.get(digest)

    def check(self, order: Order, session: Session | None = None) -> Admitted:
        """Raises the `RequestError` for which `submit` would refuse the order now; a run of the session that the order
        supersedes does not count."""
        return self._admitted(order, session, session.run if session is not None else None)

    def _admitted(self, order: Order, session: Session | None, superseded: Run | None = None) -> Admitted:
        if self.draining:
            raise Unavailable("the gateway is shutting down", code="draining", details={"retry_after": 5})
        snapshot, key = self.snapshot, order.principal.key
        self.warden.require(order.principal, order.agent)
        fewer = superseded is not None and superseded.id in self.runs
        admit(snapshot, key, len(self.runs) - fewer, self.runs.of(key) - fewer)
        self.accounts.of(order.principal, session.id if session else "").require()
        return Admitted(snapshot, *planned(snapshot, order, reached=True))

    async def submit(self, order: Order, session: Session | None = None) -> Run:
        """Creates, commits and starts a run; raises `RequestError` and `StoreError`. Its caller may be cancelled."""
        return await self._begin(order, session, self._admitted(order, session))

    async def _begin(self, order: Order, session: Session | None, admitted: Admitted) -> Run:
        identity = new_run_id()
        events, session_id = self.logs.fresh(identity), session.id if session else ""
        snapshot, plan, choice = admitted
        run = Run(identity, order, snapshot.acquire(), plan, choice, events, session_id)
        self.runs.hold(run)
        try:
            transcript = await _transcript(self, order, session)
            run.taint.sources |= transcript.tainted
            recorder = self.recorder(run)
            started = RunStarted(agent=plan.name, revision=snapshot.revision, model=choice.model)
            deserted = await recorder.begin(new_run(run, transcript), self.lease, started)
            self.start(run, recorder, Start(transcript.messages))
        finally:
            if run.task is None:
                self._release(run)
        if session is not None:
            session.begin(run)
        if deserted:
            run.cancel(Ending("the caller has gone"))
            raise asyncio.CancelledError
        return run

    async def converse(self, order: Order, session: Session) -> tuple[Subscription, Run]:
        """A run that one connection streams; `Conflict` while another does, and a deserted one ends first."""
        session.require_idle()
        admitted = self.check(order, session)
        slot = self.streams.take(order.principal, self._streams_per_key)
        session.opening = True
        subscription = None
        try:
            if session.run is not None and session.run.task is not None:
                session.run.cancel(SUPERSEDED)
                await asyncio.wait([session.run.task])
                admitted = self._admitted(order, session)
            run = await self._begin(order, session, admitted)
            subscription = self.audience.subscribe(run.id, run.log, (0, 0), slot)
        finally:
            session.opening = False
            if subscription is None:
                slot.free()
        return subscription, run

    def recorder(self, run: Run) -> Recorder:
        """Who writes for the run."""
        teller = Teller(run.id, run.log, run.fence, self.flusher)
        account = self.accounts.of(run.order.principal, run.session_id)
        return Recorder(self.ledger, teller, run.progress, run.steps, witness_of(run), account)

    def start(self, run: Run, recorder: Recorder, start: Start) -> None:
        """Gives a run that is held its task."""
        run.task = asyncio.create_task(self._conduct(run, recorder, start), name=f"run {run.id}")

    async def _conduct(self, run: Run, recorder: Recorder, start: Start) -> None:
        after: After = "left"
        try:
            after = await self._supervisor.conduct(run, recorder, start)
        finally:
            self._release(run)
            if after != "left":
                self.left.forget(run.id)
            elif not self.draining:
                self.left.add(run.id, run.ending)
        if after != "ended":
            self.poke()

    def _release(self, run: Run) -> None:
        self.runs.drop(run)
        run.snapshot.release()

    # -- runs by their id --------------------------------------------------------------------------------------------

    async def follow(self, run_id: str, after: EventId, by: Principal) -> Subscription:
        """See `Audience.follow`; the limit is the live revision's."""
        return await self.audience.follow(run_id, after, by, self._streams_per_key)

    async def cancel(self, run_id: str, ending: Ending) -> bool:
        """Ends a run; returns whether its end is kept already. Raises `NotFound`, and `Conflict` when it has ended."""
        run = self.runs.get(run_id)
        if run is not None:
            run.cancel(ending)
            return False
        record = await self.ledger.run(run_id)
        if record is None:
            raise NotFound(f"there is no run {run_id!r}", code="run_not_found")
        claimed = await self.ledger.claim_run(run_id, self.lease) if record.state not in ENDED else None
        if claimed is None:
            raise Conflict(f"run {run_id} has ended already", code="invalid_state")
        run = self.runs.get(run_id)
        if run is not None:  # taken up meanwhile, it has lost its fence just now, and is ended when it is found left
            run.cancel(ending)
            return False
        await end(self, claimed, ending)
        return True

    async def answer(self, answer: Answer) -> WaitRecord | None:
        """Settles a wait, and lets its run go on, or keeps one of the votes that it needs; None when it was settled, or
        changed, before."""
        settled = await self.ledger.answer(answer)
        if settled is not None and settled.state != "pending":
            run = self.runs.get(settled.run_id)
            if run is not None:
                run.bell.ring(settled.id)
            self.poke()
        return settled

    @property
    def _streams_per_key(self) -> int:
        return self.snapshot.gateway.server.limits.streams_per_key

    def swap(self, snapshot: Snapshot) -> None:
        """Makes the snapshot the live one and retires the one before; never waits."""
        self.revisions.swap(snapshot)
        self.warden.enforce()

    def _overdue(self, old: Snapshot) -> None:
        for run in list(self.runs.values()):
            if run.snapshot is old:
                run.cancel(Ending("the revision that the run started on is retired", "revoked"))

    def _withdrawn(self, run: Run, tool: str) -> str | None:
        """Why the live revision no longer lets this run use the tool, or None."""
        stopped = self.warden.withdrawn(tool)
        if stopped is not None or self.snapshot is run.snapshot:
            return stopped
        return withdrawn(self.snapshot, self.principal(run.order.principal.digest), run, tool)

    async def stop(self, grace: float) -> None:
        """Takes no new run, lets steps that are going on end within `grace` seconds, and leaves the rest for later."""
        self.draining = True
        for now in (False, True):
            for run in list(self.runs.values()):
                run.leave(now=now)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if now else grace):
                    await self.runs.idle.wait()
        self.logs.break_off(STOPPING)
        await self.warden.close()
        await self.flusher.close()
        await self.revisions.close()


async def end(host: Host, record: RunRecord, ending: Ending) -> None:
    """Ends a run that this process has claimed and that has no task."""
    teller = Teller(record.id, host.logs.claimed(record), record.fence, host.flusher)
    ended = Recorder(host.ledger, teller, progress_of(record), witness=Witness.of(record))
    found = await host.ledger.load(record.id)
    turn = starting_point(found).turn if found is not None else None
    if turn is not None:
        await abandon(ended, turn, ending.reason)
    await ended.cancel(ending.reason, ending.outcome)


async def _transcript(host: Host, order: Order, session: Session | None) -> Transcript:
    """What the model sees first; a run of the session that has not ended is in the way, or is ended."""
    if session is None or session.head_run is None:
        return join((), order.messages)
    if _begins_anew(order, session):
        return Transcript(None, (), order.messages, session.tainted)
    conversation = await host.ledger.conversation(session.id)
    if conversation and conversation[-1].state not in ENDED:
        head = conversation[-1].run_id
        if order.goes_on:
            raise Conflict(f"run {head} of this session has not ended; cancel it first", code="run_in_progress")
        with contextlib.suppress(Conflict):  # it has just ended
            await host.cancel(head, SUPERSEDED)
        run = host.runs.get(head)
        if run is not None and run.task is not None:
            await asyncio.wait([run.task])
        conversation = await host.ledger.conversation(session.id)
    return go_on(conversation, order.messages) if order.goes_on else join(conversation, order.messages)


def _begins_anew(order: Order, session: Session) -> bool:
    """Whether the order repeats nothing of the session, whatever was said in it: a single message is all new, since an
    exchange has at least one before it."""
    return session.settled == session.head_run and not order.goes_on and len(order.messages) <= 1


def _nobody() -> None:
    """Nobody keeps the ledger's work going: what is left stays left."""


SUPERSEDED = Ending("the conversation went on without this run")
