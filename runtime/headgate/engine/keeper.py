"""Keeps the work of the ledger going: renews leases, claims runs that nobody is at work on, lets waits expire, and
deletes what is older than `[retention]` says."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import structlog

from headgate.core.errors import StoreError
from headgate.engine.adoption import adopt
from headgate.engine.custodian import Custodian
from headgate.engine.host import Host
from headgate.stores.sweep import Cutoffs

log = structlog.get_logger("headgate.keeper")

_AT_ONCE = 32
"""Runs that are claimed before the event loop has had a turn for the others."""
_EXPIRED = 500
_ROWS = 500
"""Rows that one sweep deletes, so that commits need not wait long for it."""
SWEEP = 3600.0
"""Seconds between sweeps."""
_FIRST_SWEEP = 60.0


class Keeper:
    """`claims` says whether runs of others are gone on with, or only those that this process has parked or left."""

    def __init__(
        self, host: Host, *, claims: bool = True, custodian: Custodian | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._custodian = custodian
        self._host = host
        self._ledger = host.ledger
        self._claims = claims
        self._clock = clock
        self._poked = asyncio.Event()
        self._next_sweep = clock() + _FIRST_SWEEP
        host.poke = self._poked.set

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Works until the block is left."""
        task = asyncio.create_task(self._run(), name="keeper")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        """Supervised boundary: what fails is logged, and tried again a moment later."""
        while True:
            delay = self._host.lease.seconds / 3
            try:
                delay = await self.round()
            except StoreError as error:
                log.warning("keeper.store", code=error.code, message=error.message)
                await asyncio.sleep(1)
            except Exception:
                log.exception("keeper.crashed")
                await asyncio.sleep(1)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._poked.wait()

    async def round(self) -> float:
        """Does what is due; returns the seconds until something will be."""
        self._poked.clear()
        if self._host.runs:
            await self._ledger.renew(self._host.lease)
        if self._host.draining:
            return self._host.lease.seconds / 3
        await self._host.accounts.keep(self._host.snapshot.gateway.budgets)
        self._host.warden.enforce()  # a key may have come to its end
        if self._custodian is not None:
            await self._custodian.tidy(self._host.snapshot)
        await self._expire()
        await self._claim()
        await self._sweep()
        expiry, delay = await self._ledger.next_expiry(), self._host.left.delay()
        due = [self._host.lease.seconds / 3]
        due += [expiry - self._clock()] if expiry is not None else []
        due += [delay] if delay is not None else []
        return max(0.01, min(due))

    async def _expire(self) -> None:
        if await self._ledger.expire_waits(self._clock(), _EXPIRED):
            for run in list(self._host.runs.values()):
                run.bell.ring()

    async def _claim(self) -> None:
        host = self._host
        for run_id in [each for each in host.left.due() if each not in host.runs]:
            record = await self._ledger.claim_run(run_id, host.lease)
            if record is None:
                host.left.forget(run_id)
            else:
                await adopt(host, record)
        while self._claims and not host.draining:
            room = host.snapshot.gateway.server.limits.runs - len(host.runs)
            claimed = await self._ledger.claim(host.lease, min(room, _AT_ONCE)) if room > 0 else ()
            for record in claimed:
                await adopt(host, record)
            if len(claimed) < _AT_ONCE:
                return

    async def _sweep(self) -> None:
        now = self._clock()
        if now < self._next_sweep:
            return
        kept = self._host.snapshot.gateway.retention
        cutoffs = Cutoffs(
            events=now - kept.events, runs=now - kept.runs, sessions=now - kept.sessions, audit=now - kept.audit,
            usage=now - kept.usage,
        )  # fmt: skip
        swept = await self._ledger.sweep(cutoffs, _ROWS)
        self._next_sweep = now + (1.0 if swept.more else SWEEP)
        if swept.events or swept.runs or swept.steps or swept.sessions or swept.audit or swept.usage:
            log.info(
                "ledger.swept", events=swept.events, runs=swept.runs, steps=swept.steps, sessions=swept.sessions,
                audit=swept.audit, usage=swept.usage,
            )  # fmt: skip
