"""Time that does not count: while a server holds a call for what a person says, neither the call nor the run ages."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class _Clock:
    """The time limit of a call of a server, or of the run, which has none."""

    limit: asyncio.Timeout
    server: str | None
    stopped: int = 0
    left: float = 0.0

    def stop(self) -> None:
        self.stopped += 1
        when = self.limit.when()
        if self.stopped == 1 and when is not None and not self.limit.expired():
            self.left = when - asyncio.get_running_loop().time()
            self.limit.reschedule(None)

    def go_on(self) -> None:
        self.stopped -= 1
        if self.stopped == 0 and not self.limit.expired():
            self.limit.reschedule(asyncio.get_running_loop().time() + self.left)


class Stillness:
    """The clocks of one run; `skip` hears of the seconds that were none of its time."""

    def __init__(self, skip: Callable[[float], None]) -> None:
        self._skip = skip
        self._clocks: list[_Clock] = []
        self._still = 0
        self._since = 0.0

    @contextlib.contextmanager
    def counted(self, limit: asyncio.Timeout, server: str | None = None) -> Iterator[None]:
        """The time limit of a call of the server counts in the block, or that of the run."""
        clock = _Clock(limit, server)
        self._clocks.append(clock)
        try:
            yield
        finally:
            self._clocks.remove(clock)

    def counts(self, server: str) -> bool:
        """Whether there is a call of the server."""
        return any(clock.server == server for clock in self._clocks)

    @contextlib.contextmanager
    def still(self, server: str) -> Iterator[None]:
        """Somebody is asked for the server: which of its calls it asks for cannot always be told, so none of them ages,
        nor does the run."""
        stopped = [clock for clock in self._clocks if clock.server in (None, server)]
        loop = asyncio.get_running_loop()
        self._still += 1
        self._since = loop.time() if self._still == 1 else self._since
        for clock in stopped:
            clock.stop()
        try:
            yield
        finally:
            self._still -= 1
            if self._still == 0:
                self._skip(loop.time() - self._since)
            for clock in stopped:
                if clock in self._clocks:
                    clock.go_on()
