"""Approvals of the tools of MCP servers: what a server lists at first is approved, later changes by a person."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from headgate.compile.plan import Snapshot
from headgate.core.context import Principal
from headgate.core.errors import Conflict, GatewayError, NotFound
from headgate.engine.amend import Amender, Change
from headgate.engine.host import Host
from headgate.engine.reload import Reloader
from headgate.mcp.pins import Verdict, held, judge, pins_of, record, recorded, set_digest
from headgate.mcp.upstream import Upstream

log = structlog.get_logger("headgate.pins")

KIND = "mcp.pins"
ITSELF = "gateway"
"""Who approves what a server lists at first."""


def pinned(snapshot: Snapshot) -> dict[str, Upstream]:
    """The servers with pins whose tools are known, by name."""
    servers = snapshot.servers.items()
    return {
        name: each for name, each in servers if isinstance(each, Upstream) and each.spec.pin != "off" and each.listed
    }


def verdicts(snapshot: Snapshot, server: Upstream) -> tuple[Verdict, ...]:
    """How the tools of a server stand to what was approved."""
    approved = recorded(snapshot.gateway.mcp.pins.get(server.name))
    return judge(server.spec.pin, server.name, server.listing, approved)


def unseen(snapshot: Snapshot) -> Iterator[Upstream]:
    """Servers of which nothing was approved yet."""
    return (each for name, each in pinned(snapshot).items() if name not in snapshot.gateway.mcp.pins)


class Pinning:
    """What becomes of tools that MCP servers list anew: they are folded, compared with what was approved, and told."""

    def __init__(self, reloader: Reloader, amender: Amender, host: Host) -> None:
        self._reloader = reloader
        self._amender = amender
        self._host = host
        self._told: set[tuple[str, str]] = set()

    async def settle(self) -> None:
        """Folds what is listed now, and approves what is seen for the first time."""
        await self._reloader.refold()
        for server in list(unseen(self._host.snapshot)):
            await self._approve_first(server)
        await self._tell()

    async def _approve_first(self, server: Upstream) -> None:
        pins = pins_of(server.name, server.listing)
        try:
            await self._amender.amend(Change(KIND, server.name, record(pins), ITSELF, new=True))
        except GatewayError as error:  # tried again with the next listing
            log.warning("pins.not_kept", server=server.name, reason=error.message)
            return
        log.info("pins.first", server=server.name, tools=len(pins))
        await self._host.auditor.tell("pins.first", details={"server": server.name, "digest": set_digest(pins)})

    async def _tell(self) -> None:
        """The condition, and an entry of the audit log for each set of tools that somebody has to look at."""
        snapshot = self._host.snapshot
        waiting: list[str] = []
        servers = pinned(snapshot)
        for name, server in servers.items():
            tools = [each.tool for each in held(verdicts(snapshot, server))]
            if not tools:
                continue
            waiting.append(f"{len(tools)} of {name}")
            key = (name, set_digest(pins_of(name, server.listing)))
            if key not in self._told:
                self._told.add(key)
                details = {"server": name, "tools": tools[:50], "mode": server.spec.pin, "digest": key[1]}
                await self._host.auditor.tell("pins.held", details=details)
        if servers:
            message = f"tools that are not as approved: {', '.join(waiting)}" if waiting else ""
            reason = "NotApproved" if waiting else "AsApproved"
            self._reloader.status.set("ToolsApproved", not waiting, reason, message)


async def approve(amender: Amender, snapshot: Snapshot, name: str, digest: str, by: Principal) -> None:
    """Approves what the server lists now, which must be the set that the principal looked at.

    Raises `NotFound`, and `Conflict` when the server lists another set, or the tree keeps its approvals.
    """
    server = pinned(snapshot).get(name)
    if server is None:
        raise NotFound(f"there is no MCP server {name[:80]!r} with pins whose tools are known", code="server_not_found")
    pins = pins_of(name, server.listing)
    if set_digest(pins) != digest:
        raise Conflict(f"MCP server {name!r} lists other tools now; look again", code="listing_changed")
    await amender.amend(Change(KIND, name, record(pins), by.key))
