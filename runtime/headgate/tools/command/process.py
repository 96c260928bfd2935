"""A running program: started in a process group of its own, and ended with all of it.

The event loop's protocols are used rather than its streams: they read in chunks whatever the length of a line, and
they tell the exit of the program apart from the end of its output, which a process that it left behind may hold open.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from headgate.programs.group import Group
from headgate.tools.command.invocation import Invocation

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""
DRAIN = 0.5
"""Seconds that output is still awaited after the program has exited."""
_LAST = 1.0

Receive = Callable[[int, bytes], None]


class Program(Protocol):
    """One run of a program, or what stands in for one."""

    async def run(self, invocation: Invocation, /) -> int:
        """Runs it to its end and answers its exit status, negative for a signal."""
        ...

    def stop(self) -> None:
        """Makes `run` end."""
        ...


class Process(asyncio.SubprocessProtocol):
    """One run of a program. `receive(fd, data)` gets what it writes, 1 for standard output and 2 for standard error.
    What it cannot end is what a `Group` cannot.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._open = {1, 2}
        self._wake = asyncio.Event()
        self._exited = asyncio.Event()
        self._drained = asyncio.Event()
        self._closed = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Passes a chunk on."""
        self._receive(fd, data)

    def pipe_connection_lost(self, fd: int, _exc: Exception | None) -> None:
        """Notes that nobody writes to one of the outputs any more."""
        self._open.discard(fd)
        if not self._open:
            self._drained.set()

    def process_exited(self) -> None:
        """Notes that the program has exited and was waited for."""
        self._exited.set()
        self._wake.set()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Notes that every descriptor is closed."""
        self._closed.set()

    def stop(self) -> None:
        """Makes `run` end the program, whether it has started or not."""
        self._wake.set()

    async def run(self, invocation: Invocation) -> int:
        """Runs the program to its end and answers its exit status, negative for a signal.

        When it returns, the whole process group is gone and every descriptor is closed; processes that the program
        left behind in its group are ended too. Cancelling it is the same as `stop`. Raises `OSError` when the program
        cannot be started.
        """
        transport = await self._start(invocation)
        try:
            await self._wake.wait()
            if self._exited.is_set():
                await _wait(self._drained, DRAIN)
        finally:
            await self._end(transport)
        status = transport.get_returncode()
        return -signal.SIGKILL if status is None else status

    async def _start(self, invocation: Invocation) -> asyncio.SubprocessTransport:
        with _source(invocation.stdin) as stdin:
            transport, _ = await asyncio.get_running_loop().subprocess_exec(
                lambda: self,
                *invocation.argv,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=invocation.cwd,
                env=dict(invocation.env),
                start_new_session=True,
            )
        return transport

    async def _end(self, transport: asyncio.SubprocessTransport) -> None:
        try:
            await Group(transport.get_pid(), self._exited).end(grace=GRACE, last=_LAST)
        finally:
            # Closing kills a program that is still there, which may not be allowed (a set-user-ID program).
            with contextlib.suppress(PermissionError):
                transport.close()
        await _wait(self._closed, _LAST)


async def _wait(event: asyncio.Event, patience: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            await event.wait()


@contextlib.contextmanager
def _source(data: bytes | None) -> Iterator[int]:
    """A descriptor to read `data` from: a file in memory, which needs no writer and cannot block or break."""
    if data is None:
        yield subprocess.DEVNULL
        return
    with _memory() as file:
        file.write(data)
        file.seek(0)
        yield file.fileno()


def _memory() -> BinaryIO:
    return open(os.memfd_create("stdin"), "w+b") if sys.platform == "linux" else tempfile.TemporaryFile()  # noqa: PTH123
