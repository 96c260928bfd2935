"""An incremental parser of server-sent events that yields only their data.

Source: WHATWG HTML, §9.2.6 "Interpreting an event stream". It works on bytes, so a chunk may end anywhere, also
inside a UTF-8 sequence; names, ids and retry times are not needed here and skipped.
"""

from __future__ import annotations

LIMIT = 16 << 20
"""Bytes that one event may have: more than any provider sends, and a bound on what a broken one can make us keep."""


class Events:
    """Collects chunks and gives back the data of every event that they complete."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._rest = b""
        self._data: list[bytes] = []
        self._held = 0
        self._after_return = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that end in this chunk, in order; `ValueError` when one is too large."""
        if self._after_return and chunk:
            # A CR LF pair that two chunks share is one line ending.
            chunk = chunk.removeprefix(b"\n")
            self._after_return = False
        text = self._rest + chunk
        out = self._blocks(text) if not self._data and b"\r" not in text else self._lines(text)
        if len(self._rest) + self._held > self._limit:
            raise ValueError(f"an event is larger than {self._limit} bytes")
        return out

    def _blocks(self, text: bytes) -> list[bytes]:
        """The same for text whose lines end with LF, as those of all providers do, in a fraction of the time."""
        *blocks, self._rest = text.split(b"\n\n")
        out: list[bytes] = []
        for block in blocks:
            _, found, data = block.partition(b"\ndata: ")
            if found and block.startswith(b"event: ") and block.count(b"\n") == 1:
                out.append(data)
            else:
                out += self._events([*block.split(b"\n"), b""])
        return out

    def _lines(self, text: bytes) -> list[bytes]:
        lines = text.splitlines()
        self._after_return = text.endswith(b"\r")
        self._rest = lines.pop() if lines and not text.endswith((b"\n", b"\r")) else b""
        return self._events(lines)

    def _events(self, lines: list[bytes]) -> list[bytes]:
        out: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
                self._held += len(line)
            elif not line and self._data:
                out.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data = []
                self._held = 0
        return out
