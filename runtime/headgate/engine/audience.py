"""Those who follow runs: new connections, whoever is at work on the run, and what becomes of a run without any."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from headgate.core.context import Principal
from headgate.core.events import EventId
from headgate.engine.eventlog import EventLog
from headgate.engine.logs import Logs
from headgate.engine.run import Run
from headgate.engine.streams import Slot, Streams, Subscription


class Audience:
    """`runs` are those in progress, which the host keeps."""

    def __init__(self, streams: Streams, logs: Logs, runs: Mapping[str, Run]) -> None:
        self._streams = streams
        self._logs = logs
        self._runs = runs

    async def follow(self, run_id: str, after: EventId, principal: Principal, limit: int) -> Subscription:
        """A connection of the principal, who may have `limit`; raises `NotFound` and `Overloaded`."""
        slot = self._streams.take(principal, limit)
        try:
            return self.subscribe(run_id, await self._logs.find(run_id), after, slot)
        except BaseException:
            slot.free()
            raise

    def subscribe(self, run_id: str, events: EventLog, after: EventId, slot: Slot) -> Subscription:
        """A connection that follows the run's log from the event behind `after` on."""
        run = self._runs.get(run_id)
        follower = run.follow(after) if run is not None and run.log is events else events.follow(after)
        return Subscription(run_id, follower, slot, partial(self._deserted, run_id))

    def _deserted(self, run_id: str) -> None:
        run = self._runs.get(run_id)
        if run is not None:
            run.deserted()
