"""What a program writes: streamed in chunks while it runs, and kept up to a limit."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator

CHUNK = 4096
"""Bytes of one streamed chunk at most."""
TAIL = 4096
"""Bytes of the end of an output that are kept whatever its length."""
# Text near a cut is held back so that a secret is found before half of it is out.
_MARGIN = 1024

Clean = Callable[[str], str]
Say = Callable[[str], None]


class Stream:
    """One output of a program, whose lines may have any length and whose bytes may be no text at all.

    The first `limit` bytes are kept and streamed, in whole lines where these are short enough; the rest is counted and
    dropped, but for the tail. A line that the limit cuts is not streamed to its end. Everything that leaves is cleaned.
    """

    def __init__(self, limit: int, clean: Clean, say: Say) -> None:
        self._limit = limit
        self._clean = clean
        self._say = say
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._pending = ""
        self._kept = bytearray()
        self._tail = b""
        self.size = 0
        """Bytes that the program wrote."""

    @property
    def is_cut(self) -> bool:
        """Whether the program wrote more than was kept."""
        return self.size > self._limit

    @property
    def body(self) -> bytes:
        """The bytes that were kept, as they came; for a parser, not for showing."""
        return bytes(self._kept[: self._limit])

    @property
    def text(self) -> str:
        """The text that was kept, cleaned, of at most `limit` bytes."""
        return _start(self._clean(self._kept.decode("utf-8", "replace")), self._limit)

    @property
    def tail(self) -> str:
        """The last of the text, cleaned, of at most `TAIL` bytes."""
        text = self._clean(self._tail.decode("utf-8", "replace"))
        return text.encode()[-TAIL:].decode("utf-8", "ignore")

    def feed(self, data: bytes) -> None:
        """Takes what the program wrote next."""
        fresh = data[: max(0, self._limit - self.size)]
        self._kept += data[: max(0, self._limit + _MARGIN - self.size)]
        self._tail = (self._tail + data[-TAIL - _MARGIN :])[-TAIL - _MARGIN :]
        self.size += len(data)
        if fresh:
            self._stream(self._decode(fresh), final=False)

    def close(self) -> None:
        """Streams what is left."""
        if not self.is_cut:
            self._stream(self._decode(b"", True), final=True)

    def _stream(self, text: str, *, final: bool) -> None:
        pending = self._clean(self._pending + text)
        ready = len(pending) if final else max(pending.rfind("\n"), pending.rfind("\r")) + 1
        if len(pending) - ready > CHUNK:
            ready = len(pending) - _MARGIN
        for piece in _pieces(pending[:ready].encode("utf-8", "replace")):
            self._say(piece)
        self._pending = pending[ready:]


def _start(text: str, limit: int) -> str:
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def _pieces(data: bytes) -> Iterator[str]:
    """Pieces of at most `CHUNK` bytes, which end where a line does if there is one that ends."""
    start = 0
    while start < len(data):
        end = min(start + CHUNK, len(data))
        if end < len(data):
            end = data.rfind(b"\n", start, end) + 1 or _boundary(data, end)
        yield data[start:end].decode()
        start = end


def _boundary(data: bytes, end: int) -> int:
    """The last place up to `end` that is not inside a character (RFC 3629 §3)."""
    while data[end] & 0xC0 == 0x80:
        end -= 1
    return end
