"""A response's head and the first bytes of its body as one write: each write is a system call, and wakes the client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class HeldHead:
    """In front of a transport: holds the head of a response until the body begins, or else until the event loop's next
    turn. Everything but writing and closing is the transport's own."""

    __slots__ = ("_held", "_loop", "_timer", "_transport", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held = b""
        self._timer: asyncio.Handle | None = None
        self.is_closing = transport.is_closing
        self.write: Callable[[bytes], None] = transport.write
        """Sends data, at once but for a head."""

    def expect(self) -> None:
        """What is written next is the head of a response."""
        if self._timer is None:
            self.write = self._hold

    def close(self) -> None:
        """Sends what is held, and closes."""
        self._flush()
        self._transport.close()

    def _hold(self, head: bytes) -> None:
        self._held, self._timer, self.write = head, self._loop.call_soon(self._flush), self._join

    def _join(self, body: bytes) -> None:
        self._held += body
        self._flush()

    def _flush(self) -> None:
        if self._timer is None:
            return
        self._timer.cancel()
        data, self._held, self._timer, self.write = self._held, b"", None, self._transport.write
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
