"""What a server is kept with: how it is connected, and what it is known by meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import httpx2
import structlog

from headgate.core.errors import ToolError
from headgate.core.messages import ErrorInfo
from headgate.core.ports import ServerHealth
from headgate.mcp.asking import Asking
from headgate.mcp.faults import ServerFault
from headgate.mcp.listing import Listing
from headgate.mcp.paging import Noun, Raw

log = structlog.get_logger("headgate.mcp")

BRIEF = 5.0
"""Seconds for which a server that was well may be away before it counts as down."""
UNKNOWN = ServerFault("the server has not been reached yet")
"""Of a server that has neither come nor failed."""
State = Literal["starting", "restarting", "down"]


class Link(Protocol):
    """A live connection; see `headgate.mcp.link`."""

    over: asyncio.Event
    stale: asyncio.Event
    followed: asyncio.Event

    @property
    def pid(self) -> int | None: ...

    @property
    def protocol(self) -> str: ...

    @property
    def software(self) -> str | None: ...

    async def listing(self) -> Listing: ...

    async def call(self, name: str, args: dict[str, Any], asking: Asking) -> Any: ...

    async def read(self, uri: str, asking: Asking) -> Any: ...

    async def prompt(self, name: str, args: dict[str, str], asking: Asking) -> Any: ...

    async def listed(self, noun: Noun, asking: Asking) -> list[Raw]: ...

    async def changes(self) -> None: ...

    async def probe(self) -> None: ...

    async def reason(self) -> str: ...


Connect = Callable[[str], AbstractAsyncContextManager[Any]]
"""Opens a connection in a protocol mode, `auto` or `legacy`."""


Connected = Callable[[httpx2.Auth | None], Connect]
"""What opens connections whose requests are signed like this."""


def nowhere(_mode: str) -> AbstractAsyncContextManager[Any]:
    """Nothing is connected by itself: everybody has a connection of their own."""
    raise ServerFault("the server has no connection of its own", code="config_error")


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a server is connected by. `changed` hears when its tools are others, `scrub` cleans what is shown. `curious`
    is a connection that need not be let in."""

    connect: Connect
    changed: Callable[[], None]
    scrub: Callable[[str], str]
    curious: bool = False
    clock: Callable[[], float] = time.time

    def tell_lost(self, name: str, fault: ServerFault) -> None:
        """Has the log say why the server is not connected."""
        say = log.info if self.curious and fault.code == "auth_error" else log.warning
        say("mcp.lost", server=name, code=fault.code, reason=self.scrub(fault.message))


class Absence:
    """A server that is not connected: since when, why, and after how many failures in a row."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self.scrub = wiring.scrub
        self.state: State = "starting"
        self.failures = 0
        self.since = wiring.clock()
        self.fault: ServerFault | None = None

    def end(self) -> None:
        """It is connected."""
        self.failures, self.since = 0, self._wiring.clock()

    def fail(self, fault: ServerFault, *, known: bool) -> None:
        """It is not, once more; `known` is one that was connected before."""
        now = self._wiring.clock()
        if self.failures == 0:
            self.since = now
        briefly = known and now - self.since < BRIEF and fault.retryable
        self.fault, self.state = fault, "restarting" if briefly else "down"
        self.failures += 1

    def is_hopeless(self, *, patience: int) -> bool:
        """Whether waiting on will not help: it failed so many times in a row, for a reason that will stay."""
        fault = self.fault
        if fault is None or self.failures < patience:
            return False
        return not fault.retryable

    def shown(self, fault: ServerFault | None = None) -> ErrorInfo | None:
        """The last failure, or else this one, without secrets."""
        told = self.fault or fault
        return ErrorInfo(told.code, self.scrub(told.message), told.retryable) if told else None


def health_of(transport: str, link: Link | None, absence: Absence, listing: Listing, restarts: int) -> ServerHealth:
    """How a server is; nothing of it is a secret."""
    scrub = absence.scrub
    return ServerHealth(
        state="ready" if link is not None else absence.state,
        since=absence.since,
        transport=transport,
        protocol=link.protocol if link else None,
        software=scrub(link.software) if link and link.software else None,
        error=absence.shown(),
        restarts=restarts,
        problems=tuple(map(scrub, listing.problems)),
        tools=len(listing.tools),
        prompts=len(listing.prompts),
        resources=len(listing.resources),
        pid=link.pid if link else None,
    )


def health_of_people(
    own: ServerHealth, connected: Sequence[ServerHealth], looking: ServerHealth | None
) -> ServerHealth:
    """How a server is that everybody connects to by themselves, `own` without anybody: it is down where nobody who
    tries reaches it."""
    ready = [each for each in connected if each.state == "ready"]
    failed = [each for each in connected if each.state == "down" and each.error and each.error.code != "auth_error"]
    if ready:
        first = ready[0]
        again = sum(each.restarts for each in ready)
        shown = replace(own, protocol=first.protocol, software=first.software, problems=first.problems)
        return replace(shown, restarts=again)
    if failed or (own.state == "unauthorized" and looking is not None):
        down = failed[0] if failed or looking is None else looking
        return replace(own, state=down.state, since=down.since, error=down.error)
    return own


def unwelcome(health: ServerHealth) -> bool:
    """Whether a server does not take the credential of a connection, or the lack of one."""
    error = health.error
    return health.state != "ready" and error is not None and error.code == "auth_error" and not error.retryable


def require_offered(server: str, tool: str, withheld: Collection[str]) -> None:
    """Raises `ToolError` for a tool that a pin holds back."""
    if tool in withheld:
        raise ToolError("tool_error", f"{tool!r} of MCP server {server} is held: it is not as it was approved")


def failure(name: str, fault: ServerFault, scrub: Callable[[str], str]) -> ToolError:
    """The fault as the model is told of it."""
    code = {"timeout": "tool_timeout", "auth_error": "auth_error"}.get(fault.code, "connection_error")
    return ToolError(code, f"MCP server {name}: {scrub(fault.message)}", retryable=fault.retryable)
