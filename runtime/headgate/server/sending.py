"""A response's head and the first bytes of its body as one write: each write is a system call, and wakes the client."""

from __future__ import annotations

import asyncio
from typing import Any

_HEAD = b"HTTP/1.1 "


class HeldHead:
    """In front of a transport: holds the head of a response until the body begins, or else until the event loop's next
    turn. Everything but writing and closing is the transport's own."""

    __slots__ = ("_head", "_loop", "_timer", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.is_closing = transport.is_closing
        self._loop = asyncio.get_running_loop()
        self._head = b""
        self._timer: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        """Sends what is held, and the data behind it unless that is a head itself."""
        if self._timer is not None:
            data = self._taken() + data
        elif data.startswith(_HEAD):
            self._head, self._timer = data, self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Sends what is held, and closes."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._timer is not None:
            self._transport.write(self._taken())

    def _taken(self) -> bytes:
        if self._timer is not None:
            self._timer.cancel()
        head, self._head, self._timer = self._head, b"", None
        return head

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
