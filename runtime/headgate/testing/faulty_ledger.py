"""A ledger that fails or waits when it is told to, in front of a real one."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, cast

from headgate.core.errors import StoreError
from headgate.stores.port import Ledger


class FaultyLedger:
    """Passes every call on, but for the methods that `fail` and `hold` name; see `as_ledger`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._failing: Counter[str] = Counter()
        self._gates: dict[str, asyncio.Event] = {}
        self._waiting: dict[str, asyncio.Event] = {}
        self._queues: Counter[str] = Counter()

    def fail(self, method: str, times: int = 1) -> None:
        """The next `times` calls of the method raise `StoreError` with the code `store_full`."""
        self._failing[method] += times

    def failing(self, method: str) -> bool:
        """Whether the next call of the method will raise."""
        return self._failing[method] > 0

    def hold(self, method: str) -> None:
        """Calls of the method wait, before anything is written, until they are freed."""
        self._gates[method], self._waiting[method] = asyncio.Event(), asyncio.Event()

    def free(self, method: str) -> None:
        """Lets the calls that wait go on."""
        self._gates.pop(method).set()

    async def held(self, method: str) -> None:
        """Returns as soon as a call of the method waits."""
        await self._waiting[method].wait()

    def waiting(self, method: str) -> int:
        """How many calls of the method wait."""
        return self._queues[method]

    def as_ledger(self) -> Ledger:
        """This object, as the port that it stands for."""
        return cast("Ledger", self)

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._ledger, method)

        async def passed(*args: Any) -> Any:
            if method in self._gates:
                self._waiting[method].set()
                self._queues[method] += 1
                await self._gates[method].wait()
                self._queues[method] -= 1
            if self._failing[method] > 0:
                self._failing[method] -= 1
                raise StoreError("the disk is full", code="store_full")
            return await call(*args)

        return passed
