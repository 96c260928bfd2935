"""The stdio transport: a program in a process group of its own, one JSON-RPC message a line.

The SDK's own transport takes a file for standard error and knows no bound for a line; this one reads what the program
says there, tells when it has gone, and ends its whole group within a bounded time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import anyio
import mcp_types as types
from mcp.client._transport import TransportStreams
from mcp.shared.message import SessionMessage

from headgate.core.outlast import finish, outlast
from headgate.programs.group import Group

MAX_LINE = 16 << 20
"""Bytes of one message; a program that writes a longer one is ended."""
LEAVE = 1.0
"""Seconds that the program has to end by itself once its input is closed."""
GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL."""
_LAST = 2.0
_DRAIN = 0.2
_QUEUE = 64
_SAID = 4096


@dataclass(frozen=True, slots=True)
class Program:
    """What is run. `heard` gets each line that it writes to standard error."""

    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str] = field(repr=False)
    heard: Callable[[str], None] = field(repr=False, default=lambda _line: None)


class Child(asyncio.SubprocessProtocol):
    """The running program: complete lines of its output are queued. `exited` is its end, with the exit code or the
    negative signal in `code`; `silent` is the end of its standard error."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        self.pid = 0
        self.code: int | None = None
        self.exited = asyncio.Event()
        self.silent = asyncio.Event()
        self.lines: deque[bytes] = deque()
        self.arrived = asyncio.Event()
        self.ended = False
        self.overflow = False
        self.writable = asyncio.Event()
        self.writable.set()
        self._heard = heard
        self._rest = {1: bytearray(), 2: bytearray()}
        self._said = b""
        self._transport: asyncio.SubprocessTransport | None = None
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The program was started."""
        assert isinstance(transport, asyncio.SubprocessTransport) or hasattr(transport, "get_pid")
        self._transport = transport  # type: ignore[assignment]

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Splits what arrived into lines."""
        rest = self._rest[fd]
        rest += data
        if b"\n" not in data:
            self._bound(fd)
            return
        *whole, last = bytes(rest).split(b"\n")
        self._rest[fd] = bytearray(last)
        if fd == 2:
            for line in whole:
                self._said = line[:_SAID] if line.strip() else self._said
                self._heard(line[:_SAID].decode("utf-8", "replace").rstrip("\r"))
            return
        self.lines.extend(line for line in whole if line.strip())
        self.arrived.set()
        if len(self.lines) > _QUEUE:
            self._pause()

    def _bound(self, fd: int) -> None:
        if fd == 2 and len(self._rest[2]) > _SAID:
            self._heard(bytes(self._rest[2][:_SAID]).decode("utf-8", "replace"))
            self._rest[2].clear()
        elif len(self._rest[fd]) > MAX_LINE:
            self.overflow = True
            self._heard(f"a message of more than {MAX_LINE >> 20} MiB")
            self._finish()

    def pipe_connection_lost(self, fd: int, _exc: Exception | None) -> None:
        """The program closed a pipe."""
        if fd == 1:
            self._finish()
        elif fd == 0:
            self.writable.set()
        else:
            self.silent.set()

    @property
    def words(self) -> str:
        """The last line that the program wrote to standard error."""
        return bytes(self._rest[2][:_SAID].strip() or self._said).decode("utf-8", "replace")

    def process_exited(self) -> None:
        """The program has gone; what it left in its pipes may still be read."""
        self.code = self._transport.get_returncode() if self._transport else None
        self.exited.set()
        asyncio.get_running_loop().call_later(_DRAIN, self._finish)

    def pause_writing(self) -> None:
        """The program does not read as fast as it is written to."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """The program reads again."""
        self.writable.set()

    def _finish(self) -> None:
        self.ended = True
        self.arrived.set()

    async def line(self) -> bytes | None:
        """The next line of its output; None at the end."""
        while not self.lines:
            if self.ended:
                return None
            self.arrived.clear()
            await self.arrived.wait()
        found = self.lines.popleft()
        if self._paused and len(self.lines) < _QUEUE // 2:
            self._resume()
        return found

    def _pause(self) -> None:
        pipe = self._transport.get_pipe_transport(1) if self._transport else None
        if pipe is not None and not self._paused:
            self._paused = True
            pipe.pause_reading()  # type: ignore[attr-defined]

    def _resume(self) -> None:
        pipe = self._transport.get_pipe_transport(1) if self._transport else None
        if pipe is not None:
            self._paused = False
            pipe.resume_reading()  # type: ignore[attr-defined]


@contextlib.asynccontextmanager
async def spoken_to(program: Program) -> AsyncIterator[tuple[TransportStreams, Child]]:
    """The streams of a running program; leaving ends it and its group, whatever happens meanwhile."""
    transport, child = await _start(program)
    child.pid = transport.get_pid()
    to_session, from_program = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_program, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    reader = asyncio.create_task(_read(child, to_session), name=f"read {program.argv[0]}")
    writer = asyncio.create_task(_write(child, transport, from_session), name=f"write {program.argv[0]}")
    try:
        yield (from_program, to_program), child
    finally:
        for stream in (to_program, from_program):
            stream.close()
        ending = asyncio.create_task(_end(transport, child, (reader, writer)), name=f"end {program.argv[0]}")
        try:
            await finish(ending)
            ending.result()
        finally:
            for rest in (to_session, from_session):
                rest.close()


async def _start(program: Program) -> tuple[asyncio.SubprocessTransport, Child]:
    """Starts it; whoever is cancelled meanwhile leaves nothing of it, which the loop does not see to: it ends a program
    that it has half started, but not what that has started in turn."""
    starting = asyncio.create_task(
        asyncio.get_running_loop().subprocess_exec(
            lambda: Child(program.heard), *program.argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, cwd=program.cwd, env=dict(program.env), start_new_session=True,
        )
    )  # fmt: skip
    try:
        await finish(starting)
    except asyncio.CancelledError:
        if starting.exception() is None:
            transport, child = starting.result()
            group = Group(transport.get_pid(), child.exited)
            await outlast(asyncio.create_task(group.end(grace=GRACE, last=_LAST)))
            with contextlib.suppress(PermissionError):
                transport.close()
        raise
    return starting.result()


async def _read(child: Child, session: anyio.abc.ObjectSendStream[SessionMessage | Exception]) -> None:
    async with session:
        while (line := await child.line()) is not None:
            try:
                message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError:
                child._heard(f"not a message: {line[:200].decode('utf-8', 'replace')}")
                continue
            try:
                await session.send(SessionMessage(message))
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                return


async def _write(
    child: Child, transport: asyncio.SubprocessTransport, session: anyio.abc.ObjectReceiveStream[SessionMessage]
) -> None:
    pipe = transport.get_pipe_transport(0)
    assert pipe is not None
    async with session:
        async for each in session:
            data = each.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
            if pipe.is_closing():
                return
            pipe.write(data)  # type: ignore[attr-defined]
            await child.writable.wait()


async def _end(
    transport: asyncio.SubprocessTransport, child: Child, tasks: tuple[asyncio.Task[None], asyncio.Task[None]]
) -> None:
    """Closes its input, then asks its group to end, then ends it: at most five seconds in all."""
    await asyncio.wait(tasks[1:], timeout=_LAST / 4)
    pipe = transport.get_pipe_transport(0)
    if pipe is not None:
        pipe.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LEAVE):
            await child.exited.wait()
    await Group(child.pid, child.exited).end(grace=GRACE, last=_LAST)
    with contextlib.suppress(PermissionError):
        transport.close()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
