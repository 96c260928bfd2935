"""Conversations: one record a session in the ledger, and what must be known at once in memory."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from headgate.core.context import Principal
from headgate.core.errors import Conflict, Overloaded
from headgate.engine.eventlog import EventLog
from headgate.engine.run import Run
from headgate.stores.port import Ledger
from headgate.stores.records import SessionRecord, new_session_id

_REMEMBERED = 10_000
_SWEEP = 60.0
"""Seconds between sweeps of sessions that expired without a run."""


@dataclass(slots=True)
class Session:
    """A live view of one session: its record, its newest run, the run that is in progress here, and the last one that
    is known to have ended, with the sources that it and those before had read from."""

    record: SessionRecord
    head_run: str | None
    run: Run | None = None
    opening: bool = False
    settled: str | None = None
    tainted: frozenset[str] = frozenset()
    _log: weakref.ref[EventLog] | None = None

    @property
    def id(self) -> str:
        """`sess_<32 hex>`."""
        return self.record.id

    @property
    def streaming(self) -> bool:
        """Whether a connection is following the session's newest run, or is about to."""
        log = self._log() if self._log is not None else None
        return self.opening or (log is not None and log.watched and not log.ended)

    def begin(self, run: Run) -> None:
        """The session goes on with this run; it is let go with all its events as soon as its task has ended."""
        self.head_run, self.run, self._log = run.id, run, weakref.ref(run.log)
        if run.task is not None:
            run.task.add_done_callback(lambda _: self._forget(run))

    def _forget(self, run: Run) -> None:
        if run.finished:
            self.settled, self.tainted = run.id, self.tainted | run.taint.sources
        if self.run is run:
            self.run = None

    def require_idle(self) -> None:
        """Raises `Conflict` while a connection streams."""
        if self.streaming:
            raise Conflict("A chat stream is already active for this session", code="stream_active")


class Sessions:
    """Opens and finds sessions; forgets the ones that were not used for long, which the ledger still knows."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._clock = clock
        self._held: OrderedDict[str, Session] = OrderedDict()
        self._opening: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._swept = float("-inf")

    async def open(
        self, principal: Principal, agent: str, *, ttl: float, limit: int, parent: str | None = None,
        head: str | None = None,
    ) -> Session:  # fmt: skip
        """A new session of this principal with this agent; raises `Overloaded` when the key holds too many.

        A fork of the session `parent` goes on from that one's run `head`.
        """
        now = self._clock()
        if now >= self._swept + _SWEEP:
            self._swept = now
            await self._ledger.sweep_sessions(now)
        async with self._opening[principal.key]:  # so that a key that asks for many at once gets no more than it may
            if await self._ledger.count_sessions(principal.key, now) >= limit:
                raise Overloaded(
                    f"key {principal.key!r} holds {limit} sessions already; wait until some expire",
                    code="too_many_sessions", details={"retry_after": 60},
                )  # fmt: skip
            record = SessionRecord(
                id=new_session_id(), principal=principal.key, key_digest=principal.digest, agent=agent,
                created_at=float(int(now)), expires_at=float(int(now + ttl)), updated_at=now, parent=parent,
                head_run=head,
            )  # fmt: skip
            await self._ledger.create_session(record)
            return self._hold(Session(record, head))

    def forget(self, session_id: str) -> None:
        """The session was closed or deleted: what is known of it is read again."""
        self._held.pop(session_id, None)

    async def find(self, session_id: str) -> Session | None:
        """The session, or None when the ledger does not know it; a closed one too."""
        held = self._held.get(session_id)
        if held is not None:
            self._held.move_to_end(session_id)
            return held
        record = await self._ledger.session(session_id)
        if record is None:
            return None
        return self._held.get(session_id) or self._hold(Session(record, record.head_run))

    def _hold(self, session: Session) -> Session:
        self._held[session.id] = session
        if len(self._held) > _REMEMBERED:
            self._forget()
        return session

    def _forget(self) -> None:
        """Drops the oldest session that nothing is going on in."""
        for identity, session in self._held.items():
            if not session.opening and (session.run is None or session.run.finished):
                del self._held[identity]
                return
