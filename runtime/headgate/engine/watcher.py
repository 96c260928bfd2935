"""Follows what changes outside the process: the files of the tree, and the overlay documents that others write."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import structlog

from headgate.core.errors import StoreError
from headgate.engine.amend import Amender
from headgate.engine.reload import Reloader
from headgate.manifest.watch import changes, settle

log = structlog.get_logger("headgate.reload")

POLL = 10.0
"""Seconds between looks at the digest, for file systems that send no events."""
GLANCE = 1.0
"""Seconds between looks at the generation of the overlay."""
_AGAIN = 1.0


class Watcher:
    """Reloads after edits."""

    def __init__(self, reloader: Reloader, amender: Amender) -> None:
        self._reloader = reloader
        self._amender = amender

    @contextlib.asynccontextmanager
    async def at_work(self, *, tree: bool) -> AsyncIterator[None]:
        """Watches the overlay, and the files too if the `tree` is wanted, until the block is left."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(self.follow(stop), name="watch the overlay")]
        if tree:
            tasks.append(asyncio.create_task(self.watch(stop), name="watch the tree"))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait(tasks)

    async def follow(self, stop: asyncio.Event, every: float = GLANCE) -> None:
        """Supervised boundary: makes what others wrote live until `stop` is set; a look that fails is another one."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await stop.wait()
                    return
            try:
                await self._amender.refresh()
            except StoreError as error:
                log.warning("overlay.store", code=error.code, message=error.message)
            except Exception:
                log.exception("overlay.crashed")

    async def watch(self, stop: asyncio.Event, poll: float = POLL) -> None:
        """Supervised boundary: reloads after every edit until `stop` is set; a watch that fails is begun again."""
        while not stop.is_set():
            try:
                async for _ in changes(self._reloader.compiler.root, self._folders, poll, stop):
                    await self._poked()
            except Exception:
                log.exception("watch.crashed")
                await asyncio.sleep(_AGAIN)

    async def _poked(self) -> None:
        """Supervised boundary: a failed attempt is logged, and the next edit is a new one."""
        reloader = self._reloader
        try:
            tree = await settle(reloader.compiler.scan, reloader.live.gateway.reload.settle)
            if tree.revision != reloader.status.attempted or reloader.outside or await reloader.rotated():
                await reloader.reload(tree)
        except Exception:
            log.exception("reload.crashed")

    def _folders(self) -> set[Path]:
        """Every folder that holds a manifest or a file that one refers to."""
        return {*self._reloader.compiler.directories, *(path.parent for path in self._reloader.outside)}
