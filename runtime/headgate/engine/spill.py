"""What one run's tools said beyond the limit of a result: kept whole, outside the transcript, until the run ends.

All of a run's large results share one file in the state directory. It has no name and belongs to the owner only, so
that it is gone with the run, and with the process, whatever happens.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import structlog

log = structlog.get_logger("headgate.spill")


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a result stands in the file, in bytes."""

    at: int
    size: int


class Spill:
    """The large results of one run, by handle, at most `limit` bytes of them; `folder` holds the file."""

    def __init__(self, folder: Path | None, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._used = 0
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()
        self.kept: dict[str, Kept] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with self._lock:  # a thread whose call was cancelled may be in the middle of its work
            self._limit = 0
            if self._file is not None:
                self._file.close()

    async def keep(self, handle: str, data: bytes) -> bool:
        """Keeps a result whole under the handle, or not at all: when it does not fit, or cannot be written."""
        if self._used + len(data) > self._limit:
            return False
        at, self._used = self._used, self._used + len(data)
        try:
            await asyncio.to_thread(self._write, at, data)
        except OSError as error:
            log.warning("spill.not_kept", bytes=len(data), reason=error.strerror)
            return False
        self.kept[handle] = Kept(at, len(data))
        return True

    def read(self, kept: Kept, offset: int, length: int) -> bytes:
        """A piece of a result; blocks, and raises `ValueError` when the run has ended."""
        wanted = min(length, kept.size - offset)
        with self._lock:
            if self._file is None or self._file.closed:
                raise ValueError("the run has ended")
            return os.pread(self._file.fileno(), wanted, kept.at + offset) if wanted > 0 else b""

    def _write(self, at: int, data: bytes) -> None:
        with self._lock:
            if not self._limit:
                return
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder, prefix="spill-")  # noqa: SIM115 -- closed on exit
            written = 0
            while written < len(data):
                written += os.pwrite(self._file.fileno(), memoryview(data)[written:], at + written)
