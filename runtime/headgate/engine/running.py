"""The runs in progress here, counted by whose they are: whether there is room for one more is asked with every run."""

from __future__ import annotations

import asyncio
from collections import Counter

from headgate.engine.run import Run


class Running(dict[str, Run]):
    """Runs by their id; `idle` is set while there are none."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = asyncio.Event()
        self.idle.set()
        self._keys: Counter[str] = Counter()

    def hold(self, run: Run) -> None:
        """The run is in progress from now on."""
        self[run.id] = run
        self._keys[run.order.principal.key] += 1
        self.idle.clear()

    def drop(self, run: Run) -> None:
        """It is no longer; a second time does nothing."""
        if self.pop(run.id, None) is None:
            return
        key = run.order.principal.key
        self._keys[key] -= 1
        if not self._keys[key]:
            del self._keys[key]
        if not self:
            self.idle.set()

    def of(self, key: str) -> int:
        """How many runs of the key are in progress."""
        return self._keys[key]
