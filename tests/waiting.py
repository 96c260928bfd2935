"""Waiting for what a running gateway does by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(happened: Callable[[], object]) -> None:
    """Returns when `happened()` is true; a test that waits in vain fails after a minute."""
    async with asyncio.timeout(60):
        while not happened():  # noqa: ASYNC110 -- what is waited for has no event of its own
            await asyncio.sleep(0.005)
