"""Runs that this process had to leave before their end, and when each of them is tried again."""

from __future__ import annotations

import time
from collections.abc import Callable

from headgate.engine.run import Ending

LONGEST = 60.0
"""Seconds between two tries at most."""


class Leftovers:
    """A run that is left for the first time is due at once; one that is left again and again, ever later: what cannot
    be kept would otherwise be made anew without a pause, and models cost money."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due: dict[str, float] = {}
        self._endings: dict[str, Ending] = {}
        self._tries: dict[str, int] = {}

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._due

    def __len__(self) -> int:
        return len(self._due)

    def add(self, run_id: str, ending: Ending | None = None) -> None:
        """The run was left; with an `ending` it is to be ended as soon as that is possible."""
        tries = self._tries[run_id] = self._tries.get(run_id, -1) + 1
        self._due[run_id] = self._clock() + (min(2.0 ** (tries - 1), LONGEST) if tries else 0.0)
        if ending is not None:
            self._endings.setdefault(run_id, ending)

    def take(self, run_id: str) -> Ending | None:
        """Somebody goes on with the run; returns how it is to be ended, if it is."""
        self._due.pop(run_id, None)
        return self._endings.pop(run_id, None)

    def forget(self, run_id: str) -> None:
        """The run is well: it has ended, waits, or is somebody else's."""
        self.take(run_id)
        self._tries.pop(run_id, None)

    def due(self) -> list[str]:
        """The runs whose time has come."""
        now = self._clock()
        return [run_id for run_id, at in self._due.items() if at <= now]

    def delay(self) -> float | None:
        """Seconds until the next one is due, or None."""
        return max(0.0, min(self._due.values()) - self._clock()) if self._due else None
