"""Waiting for work that a cancellation of the one who waits must not leave undone."""

from __future__ import annotations

import asyncio
from typing import Any


async def outlast(task: asyncio.Task[Any]) -> asyncio.CancelledError | None:
    """Waits until the task is done, whatever happens to the caller meanwhile, and does not look at its result.

    Returns the cancellation that came, if one did, which is then for the caller to raise.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled
