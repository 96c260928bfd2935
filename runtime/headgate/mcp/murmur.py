"""What programs write to standard error, in the gateway's log: so much of it, and no more."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from headgate.mcp.listing import visible

log = structlog.get_logger("headgate.mcp")

LINES = 200
"""Lines of one server that are logged in a window; the others are counted."""
WINDOW = 10.0
"""Seconds of a window."""


class Murmur:
    """Logs the lines of the server `name`; `scrub` takes secrets out of them. What people cannot see, such as
    the escape sequences of terminals, is left out."""

    def __init__(self, name: str, scrub: Callable[[str], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._scrub = scrub
        self._clock = clock
        self._until = float("-inf")
        self._lines = 0

    def __call__(self, line: str) -> None:
        """One line. A server that writes without end must not fill the disk, nor hold up the gateway."""
        if not line.strip():
            return
        now = self._clock()
        if now >= self._until:
            self.flush()
            self._until, self._lines = now + WINDOW, 0
        self._lines += 1
        if self._lines <= LINES:
            log.info("mcp.stderr", server=self._name, line=self._scrub(visible(line)))

    def flush(self) -> None:
        """Tells how many lines of the window were left out."""
        if self._lines > LINES:
            log.warning("mcp.stderr_left_out", server=self._name, lines=self._lines - LINES)
        self._lines = 0
