"""Open objects that snapshots share: each has an owner task, which opens it, waits, and closes it.

Opening and closing in one task is what context managers with cancel scopes need. An object is shared by identity
between snapshots as long as its fingerprint stays the same, and closed when the last of them lets go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog

from headgate.core.errors import ConfigError, GatewayError

log = structlog.get_logger("headgate.compile")

Identity = tuple[str, str]
"""Family and name."""
HTTP: Identity = ("net", "http")
"""The shared client behind the egress guard."""


def _deliberate(error: Exception) -> GatewayError:
    return error if isinstance(error, GatewayError) else ConfigError(f"{type(error).__name__}: {error}")


class Resource:
    """One open object and how many snapshots hold it."""

    def __init__(self, identity: Identity, fingerprint: str) -> None:
        self.identity = identity
        self.fingerprint = fingerprint
        self.holders = 0
        self._closing = asyncio.Event()
        self._opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._owner: asyncio.Task[None] | None = None

    @property
    def value(self) -> Any:
        """The open object; only after `open` has returned."""
        return self._opened.result()

    async def open(self, factory: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        """Opens the object in its owner task and waits until it is ready; raises `GatewayError` when it cannot be."""
        name = f"owner of {'/'.join(self.identity)}"
        self._owner = asyncio.create_task(self._own(factory), name=name)
        await asyncio.shield(self._opened)

    async def _own(self, factory: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        """Supervised boundary: a failure to open goes to the opener, a failure to close to the log."""
        try:
            async with factory() as value:
                self._opened.set_result(value)
                await self._closing.wait()
        except Exception as error:
            if self._opened.done():
                log.exception("resource.close_failed", resource="/".join(self.identity))
            else:
                self._opened.set_exception(_deliberate(error))

    def hold(self) -> None:
        """One more snapshot uses the object."""
        self.holders += 1

    async def release(self) -> None:
        """One snapshot fewer uses the object; the last one closes it."""
        self.holders -= 1
        if self.holders <= 0:
            await self.close()

    async def close(self) -> None:
        """Closes the object, whoever holds it."""
        self._closing.set()
        if self._owner is None:
            return
        if not self._opened.done():  # it may never become ready
            self._owner.cancel()
        await asyncio.wait([self._owner])
