"""An MCP server as the gateway has it: one connection at a time, kept by an owner task, and made anew when it ends.

The connection is entered and left in the owner task alone: one that is entered in the task of a request would die with
it. Calls come from any task; one that finds no connection waits for the next, as long as it has time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from headgate.core.messages import ErrorInfo
from headgate.core.ports import ServerHealth
from headgate.mcp.asking import Asking
from headgate.mcp.backoff import Backoff
from headgate.mcp.faults import EndedEarly, ServerFault, fault_of
from headgate.mcp.listing import NOTHING, Listing
from headgate.mcp.spec import ServerSpec
from headgate.mcp.together import Together
from headgate.mcp.wiring import UNKNOWN, Absence, Link, Wiring, failure, health_of, require_offered

log = structlog.get_logger("headgate.mcp")

STEADY = 10.0
"""Seconds after which a connection counts as one that works, so that its end is no repeated failure."""
FAREWELL = 8.0
"""Seconds that closing a connection may take."""
EARLY = 0.25
"""Seconds before the end of a call at which it gives up waiting for a connection."""
REPEATS = 3
"""Times that a call is made again that the server may have got."""
_SETTLE = 0.05


class Upstream:
    """The server `name`."""

    def __init__(self, name: str, spec: ServerSpec, wiring: Wiring) -> None:
        self.name = name
        self.spec = spec
        self.listing: Listing = NOTHING
        self.listed = self.closing = False
        self.withheld: frozenset[str] = frozenset()
        self.version = 0
        self._wiring = wiring
        self._link: Link | None = None
        self._mode = "auto"
        self._backoff = Backoff()
        self._absence = Absence(wiring)
        self._restarts = 0
        self._renewal = Together()
        self.moved = asyncio.Condition()
        self._wanted, self._suspect = asyncio.Event(), asyncio.Event()

    @property
    def required(self) -> bool:
        """Whether agents that have it may not run without it."""
        return self.spec.failure == "closed"

    @property
    def health(self) -> ServerHealth:
        """How it is now."""
        return health_of(self.spec.kind, self._link, self._absence, self.listing, self._restarts)

    async def warm(self, timeout: float, /) -> ErrorInfo | None:
        """Waits until its tools are known; the failure when they are not within `timeout` seconds."""
        absence, late = self._absence, ServerFault(f"its tools were not known within {timeout:g} s", code="timeout")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout), self.moved:
                await self.moved.wait_for(
                    lambda: self.listed or absence.failures > 1 or absence.is_hopeless(patience=1)
                )
        return None if self.listed else absence.shown(late)

    async def renew(self, timeout: float) -> ErrorInfo | None:
        """Ends the connection and waits for the next, once for all who ask meanwhile; the failure when none comes."""
        await self._renewal.share(lambda: self._renew(timeout))
        return None if self._usable() else self._absence.shown(UNKNOWN)

    async def _renew(self, timeout: float) -> None:
        before, absence = self._link, self._absence
        patience = 1 if before else absence.failures
        self._backoff.reset()
        (before.over if before else self._wanted).set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout), self.moved:
                await self.moved.wait_for(lambda: self._usable() or absence.failures > patience)

    async def keep(self) -> None:
        """Supervised boundary: connects again and again until it is cancelled; a failure is kept, and told."""
        while not self.closing:
            begun = asyncio.get_running_loop().time()
            try:
                fault = ServerFault(await self._connection())
            except Exception as error:  # noqa: BLE001
                fault = fault_of(error)
            await self._lost(fault)
            if asyncio.get_running_loop().time() - begun >= STEADY:
                self._backoff.reset()
            await self._backoff.pause(self._wanted)

    async def _connection(self) -> str:
        """One connection, from its beginning to its end; why it ended."""
        limit, loop = self.spec.connection_timeout or 10.0, asyncio.get_running_loop()
        arrived = False
        clock = asyncio.timeout(limit)
        try:
            async with clock, self._wiring.connect(self._mode) as link:
                try:
                    async with asyncio.TaskGroup() as group:
                        following = group.create_task(link.changes(), name=f"changes of {self.name}")
                        await link.followed.wait()  # first, so that no change between is missed
                        listing = await link.listing()
                        clock.reschedule(None)
                        arrived = True
                        await self._arrived(link, listing)
                        relisting = group.create_task(self._relist(link), name=f"listing of {self.name}")
                        watching = group.create_task(_watch(link, self._suspect, limit), name=f"health of {self.name}")
                        await link.over.wait()
                        reason: str = await link.reason()
                        for task in (following, relisting, watching):
                            task.cancel()
                finally:
                    self._link = None
                    if not clock.expired():
                        clock.reschedule(loop.time() + FAREWELL)
        except EndedEarly:
            # A server that ends at the first word of the newer protocol may speak the older one.
            self._mode = "auto" if self._mode == "legacy" else "legacy"
            raise
        except TimeoutError as error:
            if arrived or not clock.expired():
                raise
            raise ServerFault(f"the server did not answer within {limit:g} s", code="timeout") from error
        return reason

    async def _arrived(self, link: Link, listing: Listing) -> None:
        async with self.moved:
            self._take(listing)
            if self.listed:
                self._restarts += 1
            self._link, self.listed = link, True
            self._absence.end()
            self.moved.notify_all()
        log.info("mcp.connected", server=self.name, protocol=link.protocol, tools=len(listing.tools))

    async def _relist(self, link: Link) -> None:
        while True:
            await link.stale.wait()
            await asyncio.sleep(_SETTLE)
            link.stale.clear()
            self._take(await link.listing())

    def _take(self, listing: Listing) -> None:
        if self.version and listing == self.listing:
            return
        self.listing = listing
        self.version += 1
        log.info("mcp.listed", server=self.name, tools=len(listing.tools), left_out=len(listing.problems))
        self._wiring.changed()

    async def _lost(self, fault: ServerFault) -> None:
        async with self.moved:
            self._absence.fail(fault, known=self.listed)
            self.moved.notify_all()
        self._wiring.tell_lost(self.name, fault)

    async def call(self, tool: str, args: dict[str, Any], asking: Asking) -> Any:
        """The SDK's result of one call of the server's tool, or a round of its questions; raises `ToolError`."""
        require_offered(self.name, tool, self.withheld)
        return await self.perform(lambda link: link.call(tool, args, asking), asking)

    async def perform(self, work: Callable[[Link], Awaitable[Any]], asking: Asking) -> Any:
        """What the work comes to; raises `ToolError`.

        What the server cannot have got is sent again on the next connection, and what may be repeated a few times.
        """
        repeats = REPEATS if asking.repeatable else 0
        while True:
            link = await self._linked(asking.deadline)
            try:
                return await self._called(work(link), asking)
            except ServerFault as fault:
                again = not fault.sent or (repeats > 0 and fault.code == "connection_error")
                if not again or not fault.retryable:
                    raise failure(self.name, fault, self._wiring.scrub) from fault
                repeats -= fault.sent
            await self._left(link, asking.deadline)

    async def _called(self, work: Awaitable[Any], asking: Asking) -> Any:
        try:
            result = await work
            self._backoff.reset()  # it worked: its end is no repeated failure
            return result
        except asyncio.CancelledError:
            if asyncio.get_running_loop().time() >= asking.deadline:
                self._suspect.set()  # it may hang altogether
            raise

    async def _linked(self, deadline: float) -> Link:
        """The connection, or the next one."""
        self._wanted.set()
        # A little earlier than the call itself, so that the model is told why rather than that it took too long.
        until = deadline - min(EARLY, max(0.0, deadline - asyncio.get_running_loop().time()) / 10)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until), self.moved:
                await self.moved.wait_for(
                    lambda: self._usable() or self.closing or self._absence.is_hopeless(patience=2)
                )
        link = self._usable()
        if link is None:
            raise failure(self.name, self._absence.fault or UNKNOWN, self._wiring.scrub)
        return link

    def _usable(self) -> Link | None:
        return self._link if self._link is not None and not self._link.over.is_set() else None

    async def _left(self, link: Link, deadline: float) -> None:
        """Waits until this connection is not the one in use any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline), self.moved:
                await self.moved.wait_for(lambda: self._link is not link or link.over.is_set())


async def _watch(link: Link, suspect: asyncio.Event, limit: float) -> None:
    """Gives up a connection whose server answers nothing any more for `limit` seconds, after a call that was not
    answered, which makes it `suspect`."""
    while True:
        suspect.clear()
        await suspect.wait()
        try:
            async with asyncio.timeout(limit):
                await link.probe()
        except TimeoutError as error:
            raise ServerFault(f"the server hangs: it answered nothing for {limit:g} s", code="timeout") from error
