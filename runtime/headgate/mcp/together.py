"""Work that everybody who asks for it at the same time shares."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Together:
    """Does one piece of work at a time; who asked before it was done needs no other."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._done = 0

    async def share(self, work: Callable[[], Awaitable[object]]) -> None:
        """Returns when `work` has been done since, by whomever; raises what it raises."""
        asked = self._done
        async with self._lock:
            if self._done == asked:
                await work()
                self._done += 1
