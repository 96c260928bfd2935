"""A connection and the task that keeps it, which end together."""

from __future__ import annotations

import asyncio

from headgate.mcp.upstream import Upstream

_AGAIN = 6.0


class Owned:
    """Keeps the upstream from now on, until `end`."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self._owner = asyncio.create_task(upstream.keep(), name=f"owner of MCP server {upstream.name}")

    async def end(self) -> None:
        """Ends the connection, and returns when it has ended; calls that wait for the next one wait in vain."""
        self.upstream.closing = True
        while not self._owner.done():
            # Again if need be: a cancellation that comes together with one of the SDK's own may be lost in it.
            self._owner.cancel()
            await asyncio.wait([self._owner], timeout=_AGAIN)
        async with self.upstream.moved:
            self.upstream.moved.notify_all()
