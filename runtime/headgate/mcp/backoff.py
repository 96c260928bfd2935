"""How long to wait before a server that failed is tried again."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

FIRST = 0.1
"""Seconds before the first attempt."""
LONGEST = 30.0
"""Seconds between attempts, at most."""
IMPATIENT = 0.5
"""Seconds between attempts, at least, however many calls wait."""


class Backoff:
    """Delays that double with every failure, each shortened by up to a half at random, so that the clients of a server
    that comes back do not all come at once."""

    def __init__(self, *, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._failures = 0

    def next(self) -> float:
        """The seconds to wait now."""
        whole = min(LONGEST, FIRST * 2.0 ** min(self._failures, 20))
        self._failures += 1
        return whole * (1 - self._chance() / 2)

    def reset(self) -> None:
        """The server has been well for a while."""
        self._failures = 0

    async def pause(self, wanted: asyncio.Event) -> None:
        """Waits before the next attempt, less long when somebody wants it."""
        wanted.clear()
        delay = self.next()
        await asyncio.sleep(min(delay, IMPATIENT))
        if delay > IMPATIENT:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay - IMPATIENT):
                    await wanted.wait()
