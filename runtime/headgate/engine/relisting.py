"""MCP servers that list other tools than before: the live revision is folded again, and new runs have the new tools."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import structlog

from headgate.compile.build import BuildError
from headgate.engine.status import Status

log = structlog.get_logger("headgate.relisting")

_SETTLE = 0.02


class Relisting:
    """Hears from the servers, and has the live revision folded again; several changes at once are one."""

    def __init__(self) -> None:
        self._heard = asyncio.Event()

    def changed(self) -> None:
        """A server lists other tools."""
        self._heard.set()

    @contextlib.asynccontextmanager
    async def at_work(self, refold: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Folds until the block is left."""
        task = asyncio.create_task(self._follow(refold), name="listings of MCP servers")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _follow(self, refold: Callable[[], Awaitable[None]]) -> None:
        """Supervised boundary: a fold that fails is logged, and the next change begins another."""
        while True:
            await self._heard.wait()
            await asyncio.sleep(_SETTLE)
            self._heard.clear()
            try:
                await refold()
            except Exception:
                log.exception("relisting.crashed")


@contextlib.contextmanager
def refusing(status: Status) -> Iterator[None]:
    """Where what the servers list now cannot be offered, the status says so; the tools of before are."""
    try:
        yield
    except BuildError as error:
        first = next(each for each in error.diagnostics if each.severity == "error")
        status.set("Degraded", True, "ListingRejected", f"the tools of before are offered: {first}")
        log.warning("listing.rejected", first=str(first))
