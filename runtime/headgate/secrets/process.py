"""Runs one program to its end and takes what it prints; nothing of it outlives the call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headgate.core.outlast import finish
from headgate.programs.group import kill
from headgate.secrets.content import MAX_BYTES
from headgate.secrets.failures import SecretUnavailable


@dataclass(frozen=True, slots=True)
class Program:
    """What is run: no shell, this environment and no other, at most `timeout` seconds."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    cwd: str | None = None
    timeout: float = 10.0

    async def output(self) -> bytes:
        """What it prints on its standard output; raises `SecretUnavailable` unless it ends with status 0.

        What it prints on its standard error is thrown away, since it may hold the secret.
        """
        starting = asyncio.create_task(self._start())
        try:
            await finish(starting)  # one that is half started could not be ended with its children
            transport, printed = starting.result()
            async with asyncio.timeout(self.timeout):
                await printed.done
        except TimeoutError:
            raise SecretUnavailable(f"{self.argv[0]} took longer than {self.timeout:g}s", retryable=True) from None
        finally:
            if starting.exception() is None:
                await _end(*starting.result())
        if printed.size > MAX_BYTES:
            raise SecretUnavailable(f"{self.argv[0]} printed more than {MAX_BYTES} bytes")
        if status := transport.get_returncode():
            raise SecretUnavailable(f"{self.argv[0]} ended with status {status}")
        return b"".join(printed.parts)

    async def _start(self) -> tuple[asyncio.SubprocessTransport, _Printed]:
        loop = asyncio.get_running_loop()
        try:
            return await loop.subprocess_exec(
                _Printed,
                *self.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=dict(self.env),
                cwd=self.cwd,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else "its arguments cannot be passed"
            raise SecretUnavailable(f"{self.argv[0]} cannot be started: {said}") from None


class _Printed(asyncio.SubprocessProtocol):
    """Collects the output; `done` when the program has ended and closed it, or has printed too much."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.exited: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closed = False

    def pipe_data_received(self, _fd: int, data: bytes) -> None:
        """Keeps what was printed, up to the limit."""
        self.size += len(data)
        if self.size <= MAX_BYTES:
            self.parts.append(data)
        else:
            self._finish()

    def pipe_connection_lost(self, _fd: int, _error: Exception | None) -> None:
        """Notes the end of the output."""
        self._closed = True
        if self.exited.done():
            self._finish()

    def process_exited(self) -> None:
        """Notes the end of the program; what it has started may still print."""
        self.exited.set_result(None)
        if self._closed:
            self._finish()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def _end(transport: asyncio.SubprocessTransport, printed: _Printed) -> None:
    """Kills what is left of the program's process group, children included, and waits until the program is gone."""
    kill(transport.get_pid())
    try:
        await asyncio.shield(printed.exited)
    finally:
        transport.close()
