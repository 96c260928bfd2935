"""Keeps what back-ends hold for a while, and asks for each path once at a time."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable

from headgate.core.ports import SecretValue
from headgate.secrets.content import Content

Load = Callable[[str], Awaitable[Content]]


class CachedBackend:
    """A back-end that loads whole paths with `load` and keeps each for `ttl` seconds of `clock`.

    Callers that ask for one path at the same time share one load. A failure is not kept.
    """

    def __init__(self, load: Load, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._ttl = ttl
        self._clock = clock
        self._kept: dict[str, tuple[float, Content]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def read(self, path: str, key: str | None, /) -> SecretValue:
        """The secret at `path`, or its member `key`; raises `SecretError`."""
        asked_at = self._clock()
        async with self._locks[path]:
            loaded_at, content = self._kept.get(path, (float("-inf"), Content("")))
            # What was loaded while this caller waited is new enough for it, even when nothing is to be kept.
            if loaded_at < asked_at and not self._clock() - loaded_at < self._ttl:
                loaded_at = self._clock()
                content = await self._load(path)
                self._kept[path] = (loaded_at, content)
        return content.pick(path, key)
