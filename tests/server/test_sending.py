"""Heads of responses: sent with what follows at once, and never later than the event loop's next turn."""

from __future__ import annotations

import asyncio
from typing import cast

from headgate.server.sending import HeldHead

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


class Wire:
    """A transport that notes what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def made() -> tuple[Wire, HeldHead]:
    """A wire, and what stands in front of it and expects a head."""
    wire = Wire()
    held = HeldHead(cast(asyncio.Transport, wire))
    held.expect()
    return wire, held


async def test_a_head_and_the_first_frame() -> None:
    """They are one write; what comes later is written as it comes."""
    wire, held = made()
    held.write(HEAD)
    assert wire.written == []
    held.write(b"first")
    held.write(b"second")
    await asyncio.sleep(0)
    assert wire.written == [HEAD + b"first", b"second"]


async def test_a_head_alone() -> None:
    """It does not wait for a body that is not there yet."""
    wire, held = made()
    held.write(HEAD)
    await asyncio.sleep(0)
    held.write(b"late")
    assert wire.written == [HEAD, b"late"]


async def test_the_next_response() -> None:
    """Its head is held as well; one that is expected while another is held does not overtake it."""
    wire, held = made()
    held.write(HEAD)
    held.expect()
    held.write(b"first")
    held.expect()
    held.write(HEAD)
    held.write(b"second")
    assert wire.written == [HEAD + b"first", HEAD + b"second"]


async def test_closing() -> None:
    """What is held is sent before the connection is closed; the rest is the transport's own."""
    wire, held = made()
    held.write(HEAD)
    held.close()
    await asyncio.sleep(0)
    assert (wire.written, held.is_closing()) == ([HEAD], True)
