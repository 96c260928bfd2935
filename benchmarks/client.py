"""The load client: raw HTTP/1.1 connections that note when deltas arrive."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

_MARK = b'"text_delta","text":"'
_STAMP = re.compile(rb'"t=(\d+) ')
_PATIENCE = 30.0


@dataclass(slots=True)
class Lags:
    """What many streams saw: the delay of every stamped delta, in ns, in order of arrival."""

    seen: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; `first` (delta) and `end` are seconds since the request was written."""

    status: int
    first: float
    end: float
    raw: bytes

    @property
    def deltas(self) -> int:
        """How many text deltas it has."""
        return self.raw.count(_MARK)

    def json(self) -> Any:
        """The body of an answer with a length."""
        return json.loads(self.raw.partition(b"\r\n\r\n")[2])


class Connection(asyncio.Protocol):
    """One connection that is kept alive."""

    def __init__(self) -> None:
        self.lost = False
        self._raw = bytearray()
        self._first = 0.0
        self._scanned = 0
        self._done: asyncio.Future[float] | None = None
        self._lags: Lags | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's class is not registered as one

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._done is not None and not self._done.done():
            self._done.set_exception(exc or ConnectionError("closed before the answer was whole"))

    async def fetch(self, request: bytes, lags: Lags | None = None) -> Reply:
        """Sends one request and reads the whole answer."""
        self._raw, self._first, self._scanned, self._lags = bytearray(), 0.0, 0, lags
        self._done = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self._transport.write(request)
        try:
            async with asyncio.timeout(_PATIENCE):
                ended = await self._done
        except TimeoutError:
            told = f"{len(self._raw)} bytes came: {bytes(self._raw[-200:])!r}"
            raise TimeoutError(f"no whole answer in {_PATIENCE:g} s to {request[:60]!r}; {told}") from None
        raw = bytes(self._raw)
        return Reply(int(raw[9:12]), self._first - began, ended - began, raw)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._raw += data
        if not self._first and _MARK in self._raw:
            self._first = now
        if self._lags is not None:
            self._scan(self._lags)
        if self._done is not None and not self._done.done() and self._whole():
            self._done.set_result(now)

    def _scan(self, lags: Lags) -> None:
        clock = time.monotonic_ns()
        for match in _STAMP.finditer(self._raw, self._scanned):
            lags.seen.append(clock - int(match[1]))
            self._scanned = match.end()

    def _whole(self) -> bool:
        if self._raw.endswith(b"\r\n0\r\n\r\n"):
            return True
        head, found, body = bytes(self._raw[:2048]).partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return bool(found and length) and len(body) >= int(length)

    def close(self) -> None:
        """Hangs up."""
        self._transport.close()


async def connect(port: int) -> Connection:
    """A connection to this machine."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


def post(port: int, path: str, body: object, headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a request with a JSON body."""
    data = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", f"host: 127.0.0.1:{port}", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, f"content-length: {len(data)}", "", ""]).encode() + data
