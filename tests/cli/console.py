"""Starts the command line as a process of its own: behind pipes, or on a terminal that a test types into."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-c", "from headgate.cli import main; main()")
# A terminal sends signals only to the session that it controls; a runner in the background may ignore them.
_CONTROLLED = (
    sys.executable, "-c",
    "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])",
)  # fmt: skip
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
_LIMIT = 120


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    code: int | None
    out: str
    err: str


def report(done: Done) -> dict[str, Any]:
    """The one JSON object on standard output."""
    (line,) = done.out.splitlines()
    read: dict[str, Any] = json.loads(line)
    return read


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment without anything of this process's but the path."""
    fixed = {"HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm-256color", "NO_PROXY": "*"}
    return {"PATH": os.environ.get("PATH", ""), **fixed, **(more or {})}


async def headgate(
    *words: str,
    home: Path,
    typed: str = "",
    environ: Mapping[str, str] | None = None,
    until: asyncio.Event | None = None,
) -> Done:
    """Runs the command to its end; it reads `typed` from a pipe. It is interrupted as soon as `until` is set."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *words, cwd=home, env=environment(home, environ),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    ended = asyncio.ensure_future(process.communicate(typed.encode()))
    if until is not None:
        await asyncio.wait_for(until.wait(), _LIMIT)
        process.send_signal(2)
    out, err = await asyncio.wait_for(ended, _LIMIT)
    return Done(process.returncode, out.decode(), err.decode())


class Console:
    """A terminal with a process in it. `text` is all that it has shown, with its escape sequences."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self._process = process
        self._master = master
        self._more = asyncio.Event()
        self._seen = 0
        self.raw = ""
        self.closed = False
        asyncio.get_running_loop().add_reader(master, self._read)

    @property
    def text(self) -> str:
        """All that was shown, as a person reads it."""
        return _ESCAPES.sub("", self.raw)

    def _read(self) -> None:
        try:
            self.raw += os.read(self._master, 1 << 16).decode(errors="replace")
        except OSError:  # the last process has closed its end
            asyncio.get_running_loop().remove_reader(self._master)
            self.closed = True
        self._more.set()

    def type(self, text: str) -> None:
        """Presses keys."""
        os.write(self._master, text.encode())

    def signal(self, number: int) -> None:
        """Sends a signal to the process."""
        self._process.send_signal(number)

    async def see(self, wanted: str) -> str:
        """Waits until the text is shown, behind what was waited for before; what came before it."""
        while (found := self.text.find(wanted, self._seen)) < 0:
            self._more.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._more.wait(), 0 if self.closed else _LIMIT)
            assert self._more.is_set(), f"{wanted!r} was not shown:\n{self.raw!r}"
        before, self._seen = self.text[self._seen : found], found + len(wanted)
        return before

    async def interrupt(self, wanted: str) -> None:
        """Presses Ctrl-C until the text is shown: one that comes while Python's readline handles another key is not
        noticed before the next."""
        seeing = asyncio.create_task(self.see(wanted))
        while not seeing.done():
            self.type("\x03")
            await asyncio.wait([seeing], timeout=1)
        await seeing

    async def ask(self, text: str, wanted: str) -> str:
        """Waits for the prompt, types a line, and waits for the answer."""
        await self.see("> ")
        self.type(f"{text}\n")
        return await self.see(wanted)

    async def end(self) -> int:
        """Waits for the end of the process; its exit code."""
        return await asyncio.wait_for(self._process.wait(), _LIMIT)


@contextlib.asynccontextmanager
async def console(*words: str, home: Path, environ: Mapping[str, str] | None = None) -> AsyncIterator[Console]:
    """Runs the command on a terminal of 100 columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *_CONTROLLED, *COMMAND, *words, cwd=home, env=environment(home, environ),
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    shown = Console(process, master)
    try:
        yield shown
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        asyncio.get_running_loop().remove_reader(master)
        os.close(master)
