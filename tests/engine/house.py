"""A host on a ledger that can be made to fail, without a server, and with a keeper that works when it is told to."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from headgate.boot import Place, open_gateway
from headgate.compile.compiler import Compiler
from headgate.core.context import Principal
from headgate.core.events import Event, RunEnd
from headgate.core.messages import Message, Text
from headgate.engine.host import Host
from headgate.engine.keeper import Keeper
from headgate.engine.reload import Reloader
from headgate.engine.run import Order, Run
from headgate.engine.sessions import Session
from headgate.kinds import DEFAULT_KINDS
from headgate.state import prepare
from headgate.stores.records import RunRecord
from headgate.stores.waits import Answer, Decision, Vote, WaitFilter, WaitRecord, WaitState
from headgate.testing.faulty_ledger import FaultyLedger
from tests.waiting import until

GUEST = Principal("guest", "guest", "0" * 64, frozenset())
"""So that the gateway itself leaves all runs to the host that is tested."""


@dataclass(slots=True)
class House:
    """The host, its ledger and its keeper; `principal` is the only key."""

    host: Host
    ledger: FaultyLedger
    principal: Principal
    keeper: Keeper

    def order(self, text: str = "hi", **keys: str) -> Order:
        """An order for the agent `helper`."""
        return Order(self.principal, "helper", (Message("user", (Text(text),)),), **keys)  # type: ignore[arg-type]

    async def session(self) -> Session:
        """A new session."""
        return await self.host.sessions.open(self.principal, "helper", ttl=60, limit=10)

    async def record(self, run_id: str) -> RunRecord:
        """The run as the ledger knows it."""
        record = await self.host.ledger.run(run_id)
        assert record is not None
        return record

    async def state(self, run: Run) -> tuple[str, str | None]:
        """State and outcome of a run."""
        record = await self.record(run.id)
        return record.state, record.outcome

    async def events(self, run_id: str) -> list[Event]:
        """The run's log, as it is kept."""
        return [*await self.host.ledger.events(run_id, (0, 0), 10_000)]

    def now(self) -> float:
        """Epoch seconds."""
        return time.time()

    async def swap(self, root: Path) -> None:
        """Makes the revision of the tree the live one."""
        compiler = Compiler(root, DEFAULT_KINDS, {}, secret_key=b"0" * 32)
        self.host.swap(await Reloader(compiler, {}, prepare(root / ".headgate")).boot())

    @property
    def empty(self) -> bool:
        """Whether nothing is held for any run."""
        return not self.host.runs and self.host.snapshot.leases == 0

    # -- questions ---------------------------------------------------------------------------------------------------

    async def questions(self, run_id: str | None = None) -> list[WaitRecord]:
        """What is asked, oldest first."""
        return [*reversed(await self.host.ledger.waits(WaitFilter(run_id=run_id, state="pending")))]

    def every_wait(self, run_id: str) -> WaitFilter:
        """All that the run ever asked."""
        return WaitFilter(run_id=run_id)

    async def answer(
        self, wait: WaitRecord, state: WaitState, decision: Decision = "approve", reason: str = "", at: float = 0.0
    ) -> WaitRecord | None:
        """Answers a question, now unless another time is given."""
        vote = Vote(by="tester", decision=decision, at=at or self.now(), reason=reason)
        return await self.host.answer(Answer(wait_id=wait.id, state=state, at=vote.at, votes=(vote,)))

    # -- the lives of runs -------------------------------------------------------------------------------------------

    async def parked(self, text: str = "hi", session: Session | None = None) -> Run:
        """A run that has come to the point where it can only wait."""
        run = await self.host.submit(self.order(text), session)
        await stopped(run)
        assert await self.state(run) == ("waiting", None)
        return run

    async def gone_on(self, run_id: str) -> list[Event]:
        """The run's log, after the keeper has found the run and it has stopped again."""
        before = (await self.record(run_id)).fence
        await self.keeper.round()
        await until(lambda: self.empty)
        assert (await self.record(run_id)).fence > before
        return await self.events(run_id)


@contextlib.asynccontextmanager
async def housed(root: Path) -> AsyncIterator[House]:
    """A house on the tree; its host is stopped in the end."""
    place = Place(tree=root, environ={})
    async with open_gateway(place, watch=False, guest=GUEST) as gateway, another(gateway.edge.host) as house:
        yield house


@contextlib.asynccontextmanager
async def another(first: Host) -> AsyncIterator[House]:
    """One more house on the same ledger and revision, as after a restart."""
    ledger = FaultyLedger(first.ledger)
    host = Host(ledger.as_ledger(), first.snapshot)
    (principal,) = host.snapshot.principals.values()
    yield House(host, ledger, principal, Keeper(host))
    await host.stop(0)


async def stopped(run: Run) -> None:
    """Returns when the run's task has ended."""
    assert run.task is not None
    await run.task


async def finished(run: Run) -> list[Event]:
    """All events of the run, which has one end and nothing behind it."""
    await stopped(run)
    ends = [event for event in run.log.events if isinstance(event, RunEnd)]
    assert ends == run.log.events[-1:]
    return run.log.events


async def left(run: Run) -> list[Event]:
    """All events of the run, which was left before its end: its listeners are told so."""
    await stopped(run)
    assert not run.finished
    assert run.log.broken is not None
    return run.log.events
