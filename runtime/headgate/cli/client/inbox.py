"""Events on their way from the client's thread to the main thread, which may at the same time wait for a key press."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

from headgate.core.events import Event

_LINE = 1 << 16


class Inbox:
    """The events of one answer, and None behind the last of them. `put` belongs to any thread, the rest to one."""

    def __init__(self) -> None:
        self._told: SimpleQueue[Event | None] = SimpleQueue()
        self._seen: deque[Event | None] = deque()
        self._bell, self._rung = socket.socketpair()
        self._bell.setblocking(False)
        self._rung.setblocking(False)

    def put(self, event: Event | None) -> None:
        """Adds the next event."""
        self._told.put(event)
        with contextlib.suppress(BlockingIOError, OSError):  # full: it rings already; closed: nobody waits any more
            self._bell.send(b"\0")

    def get(self) -> Event | None:
        """Takes the next event, and waits for it."""
        return self._seen.popleft() if self._seen else self._told.get()

    def typed(self, terminal: int, over: Callable[[Event | None], bool]) -> str | None:
        """A line that is typed at the terminal, empty at the end of input; None as soon as an event means that there is
        nothing to type any more. The events stay to be taken."""
        while not self._look(over):
            ready, _, _ = select.select([terminal, self._rung.fileno()], [], [])
            if self._rung.fileno() in ready:
                self._silence()
            elif ready:
                return os.read(terminal, _LINE).decode("utf-8", "replace")
        return None

    def _look(self, over: Callable[[Event | None], bool]) -> bool:
        with contextlib.suppress(Empty):
            while True:
                self._seen.append(self._told.get_nowait())
        return any(map(over, self._seen))

    def _silence(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._rung.recv(4096):
                pass

    def close(self) -> None:
        """Releases what wakes the reader."""
        self._bell.close()
        self._rung.close()
