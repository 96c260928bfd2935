"""An MCP server as the gateway has it: one connection at a time, kept by an owner task, and made anew when it ends.

The connection is entered and left in the owner task alone: one that is entered in the task of a request would die with
it. Calls come from any task; one that finds no connection waits for the next, as long as it has time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog

from headgate.core.errors import ToolError
from headgate.core.messages import ErrorInfo
from headgate.core.ports import ServerHealth
from headgate.mcp.asking import Asking
from headgate.mcp.backoff import Backoff
from headgate.mcp.faults import EndedEarly, ServerFault, fault_of
from headgate.mcp.listing import NOTHING, Listing
from headgate.mcp.spec import ServerSpec

log = structlog.get_logger("headgate.mcp")

STEADY = 10.0
"""Seconds after which a connection counts as one that works, so that its end is no repeated failure."""
IMPATIENT = 0.5
"""Seconds between attempts, at least, however many calls wait."""
FAREWELL = 8.0
"""Seconds that closing a connection may take."""
BRIEF = 5.0
"""Seconds for which a server that was well may be away before it counts as down."""
EARLY = 0.25
"""Seconds before the end of a call at which it gives up waiting for a connection."""
_SETTLE = 0.05
UNKNOWN = ServerFault("the server has not been reached yet")
"""Of a server that has neither come nor failed."""


class Link(Protocol):
    """A live connection; see `headgate.mcp.link`."""

    over: asyncio.Event
    stale: asyncio.Event
    followed: asyncio.Event
    pid: int | None

    @property
    def protocol(self) -> str: ...

    @property
    def software(self) -> str | None: ...

    async def listing(self) -> Listing: ...

    async def call(self, name: str, args: dict[str, Any], asking: Asking) -> Any: ...

    async def changes(self) -> None: ...


Connect = Callable[[str], AbstractAsyncContextManager[Any]]
"""Opens a connection in a protocol mode, `auto` or `legacy`."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a server is connected by. `changed` hears when its tools are others, `scrub` cleans what is shown."""

    connect: Connect
    changed: Callable[[], None]
    scrub: Callable[[str], str]
    clock: Callable[[], float] = time.time


class Upstream:
    """The server `name`."""

    def __init__(self, name: str, spec: ServerSpec, wiring: Wiring) -> None:
        self.name = name
        self.spec = spec
        self.listing: Listing = NOTHING
        self.listed = False
        self.version = 0
        self._wiring = wiring
        self._link: Link | None = None
        self._mode = "auto"
        self._backoff = Backoff()
        self._fault: ServerFault | None = None
        self._state: Literal["starting", "restarting", "down"] = "starting"
        self._failures = 0
        self._since = wiring.clock()
        self._restarts = 0
        self._moved = asyncio.Condition()
        self._wanted = asyncio.Event()

    # -- how it is ---------------------------------------------------------------------------------------------------

    @property
    def required(self) -> bool:
        """Whether agents that have it may not run without it."""
        return self.spec.failure == "closed"

    @property
    def health(self) -> ServerHealth:
        """How it is now."""
        link = self._link
        return ServerHealth(
            state="ready" if link is not None else self._state,
            since=self._since,
            transport=self.spec.kind,
            protocol=link.protocol if link else None,
            software=self._wiring.scrub(link.software) if link and link.software else None,
            error=self._shown(self._fault),
            restarts=self._restarts,
            problems=tuple(map(self._wiring.scrub, self.listing.problems)),
            tools=len(self.listing.tools),
            prompts=len(self.listing.prompts),
            resources=len(self.listing.resources),
            pid=link.pid if link else None,
        )

    def _shown(self, fault: ServerFault | None) -> ErrorInfo | None:
        return ErrorInfo(fault.code, self._wiring.scrub(fault.message), fault.retryable) if fault else None

    async def warm(self, timeout: float, /) -> ErrorInfo | None:
        """Waits until its tools are known; the failure when they are not within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout), self._moved:
                await self._moved.wait_for(lambda: self.listed or self._failures > 1 or self._hopeless(patience=1))
        except TimeoutError:
            late = ServerFault(f"its tools were not known within {timeout:g} s", code="timeout")
            return self._shown(self._fault or late)
        return None if self.listed else self._shown(self._fault)

    def _hopeless(self, *, patience: int) -> bool:
        """Whether waiting on will not help: it failed so many times in a row, for a reason that will stay."""
        fault = self._fault
        stays = fault is not None and (
            fault.code == "config_error" or (fault.code == "auth_error" and not fault.retryable)
        )
        return stays and self._failures >= patience

    # -- its owner task ----------------------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Supervised boundary: connects again and again until it is cancelled; a failure is kept, and told."""
        while True:
            begun = asyncio.get_running_loop().time()
            try:
                await self._connection()
                fault = ServerFault("the connection to the server was lost")
            except Exception as error:  # noqa: BLE001
                fault = fault_of(error)
            await self._lost(fault)
            if asyncio.get_running_loop().time() - begun >= STEADY:
                self._backoff.reset()
            await self._pause()

    async def _connection(self) -> None:
        """One connection, from its beginning to its end."""
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
                        await link.over.wait()
                        following.cancel()
                        relisting.cancel()
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

    async def _arrived(self, link: Link, listing: Listing) -> None:
        async with self._moved:
            self._take(listing)
            if self.listed:
                self._restarts += 1
            self._link, self.listed = link, True
            self._failures, self._since = 0, self._wiring.clock()
            self._moved.notify_all()
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
        async with self._moved:
            now = self._wiring.clock()
            if self._failures == 0:
                self._since = now
            briefly = self.listed and now - self._since < BRIEF and fault.code != "config_error"
            self._fault, self._state = fault, "restarting" if briefly else "down"
            self._failures += 1
            self._moved.notify_all()
        log.warning("mcp.lost", server=self.name, code=fault.code, reason=fault.message)

    async def _pause(self) -> None:
        """Waits before the next attempt, less long when a call waits for it."""
        self._wanted.clear()
        delay = self._backoff.next()
        if delay > IMPATIENT:
            await asyncio.sleep(IMPATIENT)
            delay -= IMPATIENT
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._wanted.wait()
        else:
            await asyncio.sleep(delay)

    # -- calls -------------------------------------------------------------------------------------------------------

    async def call(self, tool: str, args: dict[str, Any], asking: Asking) -> Any:
        """The SDK's result of one call of the server's tool; raises `ToolError`.

        A call that the server cannot have got is made again on the next connection, and so is one that may be repeated.
        """
        while True:
            link = await self._linked(asking.deadline)
            try:
                return await link.call(tool, args, asking)
            except ServerFault as fault:
                again = not fault.sent or (asking.repeatable and fault.code == "connection_error")
                if not again or fault.code == "config_error":
                    raise _failure(self.name, fault, self._wiring.scrub) from fault
            await self._left(link, asking.deadline)

    async def _linked(self, deadline: float) -> Link:
        """The connection, or the next one."""
        self._wanted.set()
        # A little earlier than the call itself, so that the model is told why rather than that it took too long.
        until = deadline - min(EARLY, max(0.0, deadline - asyncio.get_running_loop().time()) / 10)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until), self._moved:
                await self._moved.wait_for(lambda: self._usable() is not None or self._hopeless(patience=2))
        link = self._usable()
        if link is None:
            raise _failure(self.name, self._fault or UNKNOWN, self._wiring.scrub)
        return link

    def _usable(self) -> Link | None:
        return self._link if self._link is not None and not self._link.over.is_set() else None

    async def _left(self, link: Link, deadline: float) -> None:
        """Waits until this connection is not the one in use any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline), self._moved:
                await self._moved.wait_for(lambda: self._link is not link or link.over.is_set())


def _failure(name: str, fault: ServerFault, scrub: Callable[[str], str]) -> ToolError:
    """The fault as the model is told of it."""
    code = {"timeout": "tool_timeout", "auth_error": "auth_error"}.get(fault.code, "connection_error")
    return ToolError(code, f"MCP server {name}: {scrub(fault.message)}", retryable=fault.retryable)
