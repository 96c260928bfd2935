"""Ends what is no longer allowed, at once: runs in progress, runs that wait, and the streams of those who watch."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

import structlog

from headgate.compile.plan import Snapshot
from headgate.compile.switches import KillSwitch, Switches
from headgate.core.context import Principal
from headgate.core.errors import RequestError, StoreError
from headgate.core.events import RunState
from headgate.engine.admission import still_may
from headgate.engine.run import Ending, Run
from headgate.engine.streams import Streams, Subscription
from headgate.engine.visitors import Visitors
from headgate.stores.port import Ledger
from headgate.stores.records import RunFilter, RunRecord
from headgate.stores.waits import WaitFilter

log = structlog.get_logger("headgate.warden")

_PAGE = 200
_IDLE: tuple[RunState, ...] = ("waiting", "queued")
REVOKED = Ending("the key may no longer call this agent", "revoked")


class Premises(Protocol):
    """What the warden looks after."""

    ledger: Ledger
    streams: Streams
    visitors: Visitors

    @property
    def runs(self) -> Mapping[str, Run]: ...

    @property
    def snapshot(self) -> Snapshot: ...

    def principal(self, digest: str) -> Principal | None: ...

    async def cancel(self, run_id: str, ending: Ending) -> bool: ...


class Warden:
    """Holds runs and streams to what the live revision allows; `pending` are kill switches that are not in it yet."""

    def __init__(self, premises: Premises, clock: Callable[[], float] = time.time) -> None:
        self._premises = premises
        self._clock = clock
        self._pending: list[KillSwitch] = []
        self._known: Any = None
        self._rounds: set[asyncio.Task[None]] = set()

    @property
    def switches(self) -> Switches:
        """Every kill switch that counts now."""
        held = self._premises.snapshot.switches
        return held | self._pending if self._pending else held

    def current(self, principal: Principal | None) -> Principal | None:
        """The principal, unless its time is over."""
        if principal is None or (principal.expires is not None and principal.expires <= self._clock()):
            return None
        return principal

    def require(self, principal: Principal, agent: str) -> None:
        """Raises `Forbidden` or `Unavailable` when a kill switch stops such a run."""
        switch = self.switches.of_run(principal.key, principal.team, agent)
        if switch is not None:
            raise switch.refusal()

    @contextlib.asynccontextmanager
    async def ahead(self, switch: KillSwitch) -> AsyncIterator[None]:
        """The switch counts from now on, whatever becomes of what is done in the block to keep it."""
        self._pending.append(switch)
        try:
            self.enforce()
            yield
        finally:
            self._pending.remove(switch)

    def enforce(self) -> None:
        """Ends what is not allowed any more; never waits. Runs that wait are looked through when that may matter."""
        for run in list(self._premises.runs.values()):
            ending = self.ending(run.order.principal, run.plan.name) or self._calling(run)
            if ending is not None:
                run.cancel(ending)
        for subscription in self._premises.streams.followed():
            live = self._premises.principal(subscription.principal.digest)
            if not self._own(subscription) and not _as_before(live, subscription.principal):
                subscription.cut()
        held = self._premises.snapshot.principals
        known = (held, self.switches, [digest for digest, each in held.items() if self.current(each) is None])
        if known != self._known:
            self._known = known
            task = asyncio.create_task(self._round(), name="end what waits and is not allowed any more")
            self._rounds.add(task)
            task.add_done_callback(self._rounds.discard)

    def ending(self, principal: Principal, agent: str) -> Ending | None:
        """Why a run of the agent for the principal must end, or None."""
        switch = self.switches.of_run(principal.key, principal.team, agent)
        if switch is not None:
            return Ending(switch.said, "revoked")
        live = self._premises.principal(principal.digest)
        return None if still_may(live, principal, agent) else REVOKED

    def of_record(self, record: RunRecord) -> Ending | None:
        """The same for a run that nobody is at work on."""
        switch = self.switches.of_run(record.principal, record.team, record.agent)
        if switch is not None:
            return Ending(switch.said, "revoked")
        live = self.owner(record)
        if live is None or live.key != record.principal or not still_may(live, live, record.agent):
            return REVOKED
        return None

    def owner(self, record: RunRecord) -> Principal | None:
        """Whose run it is, as far as they may still have any."""
        live = self._premises.principal(record.key_digest)
        return live or self._premises.visitors.recall(record.principal, record.team, record.key_digest)

    def withdrawn(self, tool: str) -> str | None:
        """Why the tool may not be called by anybody, or None."""
        switch = self._stopping(tool)
        return switch.said if switch is not None else None

    def _stopping(self, tool: str) -> KillSwitch | None:
        return self.switches.of_tool(tool, self._premises.snapshot.server_of(tool))

    def _own(self, subscription: Subscription) -> bool:
        """Whether it follows a run in progress of its own principal: its end is the end of that stream."""
        run = self._premises.runs.get(subscription.run_id)
        return run is not None and run.order.principal.digest == subscription.principal.digest

    async def close(self) -> None:
        """Waits for what was begun."""
        for task in list(self._rounds):
            task.cancel()
        if self._rounds:
            await asyncio.wait(list(self._rounds))

    def _calling(self, run: Run) -> Ending | None:
        for tool, count in run.calling.items():
            switch = self._stopping(tool) if count else None
            if switch is not None:
                return Ending(switch.said, "revoked")
        return None

    async def _round(self) -> None:
        """What the store cannot end now is ended when somebody takes it up."""
        try:
            for run_id, ending in [each async for each in self._idle()]:
                with contextlib.suppress(RequestError):  # it has gone on or ended meanwhile, and is looked at there
                    await self._premises.cancel(run_id, ending)
        except StoreError as error:
            log.warning("warden.store", code=error.code, message=error.message)

    async def _idle(self) -> AsyncIterator[tuple[str, Ending]]:
        """Runs that wait or are queued and must end."""
        for state in _IDLE:
            wanted = RunFilter(state=state, limit=_PAGE)
            while page := await self._premises.ledger.runs(wanted):
                for record in page:
                    ending = self.of_record(record)
                    if ending is not None:
                        yield record.id, ending
                wanted = RunFilter(state=state, limit=_PAGE, after=(page[-1].created_at, page[-1].id))
        if self._tools_stopped():
            async for found in self._asking():
                yield found

    def _tools_stopped(self) -> bool:
        return any(each.tool is not None or each.server is not None for each in self.switches.held.values())

    async def _asking(self) -> AsyncIterator[tuple[str, Ending]]:
        """Runs that ask whether a stopped tool may be called."""
        wanted = WaitFilter(state="pending", limit=_PAGE)
        while page := await self._premises.ledger.waits(wanted):
            for wait in page:
                switch = self._stopping(wait.tool)
                if switch is not None:
                    yield wait.run_id, Ending(switch.said, "revoked")
            wanted = WaitFilter(state="pending", limit=_PAGE, after=(page[-1].created_at, page[-1].id))


def _as_before(live: Principal | None, then: Principal) -> bool:
    """Whether who began to watch may still see all that they might then; those who lost something come back and are
    asked anew."""
    if live is None or live.key != then.key:
        return False
    return then.scopes <= live.scopes and live.agents == then.agents
