"""Waiting for work that must not be broken off half-way, such as the start or the end of a program."""

from __future__ import annotations

import asyncio
from typing import Any


async def finish(task: asyncio.Task[Any]) -> None:
    """Waits for the task whatever happens; a cancellation meanwhile is passed on afterwards.

    A failure of the task is left in it for `task.result()`.
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
    if cancelled is not None:
        raise cancelled
