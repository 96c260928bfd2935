"""Waiting for work that a cancellation of the one who waits must not leave half done, as the start of a program."""

from __future__ import annotations

import asyncio
from typing import Any


async def outlast(task: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Waits until the task is done, whatever happens to the caller meanwhile; its result or failure stays in it.

    Returns the cancellation that came, if one did, which is then for the caller to raise.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if not task.cancelled():
        # Looked at, or else the loop complains of a failure that a cancelled caller has no use for.
        task.exception()
    return cancelled


async def finish(task: asyncio.Future[Any]) -> None:
    """The same, and passes a cancellation on afterwards."""
    if (cancelled := await outlast(task)) is not None:
        raise cancelled
