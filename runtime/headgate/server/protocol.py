"""HTTP/1.1 as uvicorn speaks it on httptools, with a bound on the request head, which that parser does not have."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from headgate.server.sending import HeldHead

LARGEST_HEAD = 64 << 10
"""Bytes of request line and headers."""
_REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 32\r\nconnection: close\r\n\r\nThe request head is too large.\r\n"
)


class BoundedProtocol(HttpToolsProtocol):
    """Answers 431 (RFC 6585 §5) and closes when a head does not end within `LARGEST_HEAD` bytes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unfinished = False
        self._size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        self._held = HeldHead(transport)
        super().connection_made(cast(asyncio.Transport, self._held))

    def on_message_begin(self) -> None:
        """A head begins."""
        self._unfinished, self._size = True, 0
        self._held.expect()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._unfinished = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Counts what has not made the head whole yet."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._unfinished:
            self._size += len(data)
            if self._size > LARGEST_HEAD:
                self.transport.write(_REFUSAL)
                self.transport.close()
