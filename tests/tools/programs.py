"""Small programs that the tests run as tools, and a way to see which of them are alive."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from headgate.core.kind import Env, Finding, Scope
from headgate.net.client import open_client
from headgate.net.egress import Egress
from headgate.testing.tool_kit import PATIENCE
from headgate.tools.command import KIND
from headgate.tools.command.spec import CommandSpec
from headgate.tools.command.tool import CommandTool

ANY = {"type": "object"}
# Both connect to the address in argv[1] and stay; the connection breaks when the last process that holds it is gone.
STAY = "import signal, socket, sys, time\ns = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
DEAF = f"{STAY}signal.signal(signal.SIGTERM, signal.SIG_IGN)\ns.send(b'x')\ntime.sleep(60)\n"
FAMILY = (
    f"{STAY}import subprocess\n"
    f"p = subprocess.Popen([sys.executable, '-S', '-c', {DEAF!r}, sys.argv[1]], stdin=subprocess.DEVNULL)\n"
)
"""A program with a child that ignores SIGTERM and has the program's outputs open; more code may follow."""


def spec(argv: list[Any], **keys: Any) -> CommandSpec:
    """The spec of a tool that takes any arguments."""
    body = {"kind": "command", "description": "A sample.", "input": ANY, "argv": argv, **keys}
    return CommandSpec.model_validate(body)


def python(code: str, *args: Any) -> list[Any]:
    """The `argv` of a Python program."""
    return [sys.executable, "-S", "-c", code, *args]


def findings(argv: list[Any], **keys: Any) -> list[Finding]:
    """The findings of a manifest."""
    return list(KIND.check(spec(argv, **keys), Scope("sample")))


@contextlib.asynccontextmanager
async def command(
    argv: list[Any],
    *,
    environ: Mapping[str, str] = os.environ,
    scrub: Callable[[str], str] = lambda text: text.replace("hunter22", "[redacted]"),
    **keys: Any,
) -> AsyncIterator[CommandTool]:
    """An open tool; `environ` is what the gateway has."""
    async with open_client(Egress(())) as client:
        env = Env("sample", client, read=lambda path: b"", environ=environ, scrub=scrub)
        async with KIND.open(spec(argv, **keys), env) as tool:
            yield tool


class Presence:
    """Sees processes come and go: each that connects to `port` is here until its connection breaks.

    When the last of those that are expected sends a byte, each is sent one.
    """

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._alive: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.started = asyncio.Event()
        self.ended = asyncio.Event()

    async def watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One process, as long as it lives."""
        self._expected -= 1
        self._alive.add(writer)
        self.ended.clear()
        try:
            if await reader.read(1) and not self._expected:
                self.started.set()
                for each in self._alive:
                    each.write(b"x")
            while await reader.read(1):
                pass
        except ConnectionResetError:
            pass
        finally:
            self._alive.discard(writer)
            writer.close()
            if not self._alive:
                self.ended.set()

    async def gone(self) -> None:
        """Waits until every process that ever connected is gone."""
        if self._alive:
            async with asyncio.timeout(PATIENCE):
                await self.ended.wait()


@contextlib.asynccontextmanager
async def presence(expected: int) -> AsyncIterator[Presence]:
    """A listener; `started` is set when the last of the `expected` processes said so."""
    seen = Presence(expected)
    server = await asyncio.start_server(seen.watch, "127.0.0.1", 0)
    async with server:
        seen.port = server.sockets[0].getsockname()[1]
        yield seen


def descriptors() -> set[str]:
    """What this process has open, by number."""
    return {each.name for each in Path("/proc/self/fd").iterdir() if each.is_symlink()}


def children() -> set[int]:
    """The processes that this one started, those that were not waited for too."""
    tasks = Path("/proc/self/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}
