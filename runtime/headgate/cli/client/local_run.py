"""One run of this process: its events, also across the times when it waits for somebody, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator

from headgate.core.errors import GatewayError, StoreError
from headgate.core.events import Event, RunCancelled, RunEnd, RunFailed, RunState, RunWaiting
from headgate.core.messages import ErrorInfo, Usage
from headgate.engine.host import Host
from headgate.engine.run import Ending, Run

_SOON = 0.05
"""Seconds until a run whose question should have expired is looked at again."""
_ENDED = Ending("the command has ended")


class LocalRun:
    """Follows a run that the command has begun, and leaves nothing of it going on or waiting."""

    def __init__(self, host: Host, run: Run) -> None:
        self.id = run.id
        self._host = host
        self._log = run.log
        self._ending: Ending | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._returning: asyncio.Task[None] | None = None
        self._answered = asyncio.Event()

    async def events(self) -> AsyncGenerator[Event, None]:
        """The events, one terminal one last, whatever becomes of the run."""
        follower = self._log.follow()
        try:
            while not follower.drained:
                for event in await follower.batch():
                    if isinstance(event, RunWaiting):
                        self._parked(event)
                    yield event
        finally:
            follower.close()
        if not self._log.ended:
            yield self._broken_off()

    def _broken_off(self) -> RunEnd:
        """The end of a run that the ledger could not keep any more."""
        if self._ending is not None:
            return RunCancelled(
                outcome=self._ending.outcome, usage=Usage(), cost=0.0, turns=0, reason=self._ending.reason
            )
        error = self._log.broken or ErrorInfo("interrupted", "the run was broken off")
        return RunFailed(outcome="error", usage=Usage(), cost=0.0, turns=0, error=error)

    # -- waiting ------------------------------------------------------------------------------------------------------

    def answered(self) -> None:
        """One of the run's questions is settled."""
        self._answered.set()

    def _parked(self, event: RunWaiting) -> None:
        if self._returning is not None:
            self._returning.cancel()
        expiry = min((each.expires_at for each in event.waits), default=0.0)
        self._returning = asyncio.create_task(self._return(expiry), name=f"return of {self.id}")

    async def _return(self, expiry: float) -> None:
        """Has the run gone on with once a question is settled or expired: a gateway of one command claims no runs of
        the ledger by itself, since they may be those of a server."""
        self._answered.clear()
        while (state := await self._state()) == "waiting":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(_SOON, expiry - time.time())):
                    await self._answered.wait()
            self._answered.clear()
        if state == "queued":
            self._host.left.add(self.id, self._ending)
            self._host.poke()

    async def _state(self) -> RunState:
        try:
            record = await self._host.ledger.run(self.id)
        except StoreError:
            return "waiting"  # for all that is known; it is looked at again
        return record.state if record is not None else "cancelled"

    # -- the end ------------------------------------------------------------------------------------------------------

    def cancel(self, ending: Ending) -> None:
        """Asks the run to end, whether it is going on or waits; returns at once. The first reason counts."""
        if self._ending is None and not self._log.ended:
            self._ending = ending
            self._stopping = asyncio.create_task(self._stop(ending), name=f"end of {self.id}")

    async def _stop(self, ending: Ending) -> None:
        """Ends the run; once more when it has just parked, from which no cancellation keeps it."""
        with contextlib.suppress(GatewayError):  # it has ended already, or the ledger fails: nothing goes on then
            while not self._log.ended and not await self._host.cancel(self.id, ending):
                run = self._host.runs.get(self.id)
                if run is not None and run.task is not None:
                    await asyncio.wait([run.task])

    async def close(self) -> None:
        """Ends what has not ended, and returns when that is done."""
        self.cancel(_ENDED)
        if self._stopping is not None:
            await asyncio.wait([self._stopping])
        if not self._log.ended:
            await self._stop(self._ending or _ENDED)
        if self._returning is not None:
            self._returning.cancel()
            await asyncio.wait([self._returning])
