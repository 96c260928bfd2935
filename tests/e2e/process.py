"""`headgate serve` as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2

ROOT = str(Path(__file__).parents[2])


@dataclass(slots=True)
class Served:
    """A running process, what it has printed so far, and a client of it."""

    process: asyncio.subprocess.Process
    url: str
    printed: str
    errors: Path
    http: httpx2.AsyncClient


async def start(*args: str, errors: Path, **environ: str) -> asyncio.subprocess.Process:
    """Starts `headgate serve` with a clean environment; its log goes to `errors`."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with errors.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from headgate.cli import main; main()", "serve", *args,
            stdout=asyncio.subprocess.PIPE, stderr=log, env={**inherited, "PYTHONPATH": ROOT, **environ},
        )  # fmt: skip


async def result(*args: str, errors: Path, **environ: str) -> tuple[int, str]:
    """Exit code and log of a process that is expected to end by itself."""
    process = await start(*args, errors=errors, **environ)
    async with asyncio.timeout(60):
        await process.communicate()
    return process.returncode or 0, await asyncio.to_thread(errors.read_text)


@contextlib.asynccontextmanager
async def served(root: Path, *args: str, **environ: str) -> AsyncIterator[Served]:
    """A process that serves `root` on a free port; it is killed at the end if it still runs."""
    errors = root.with_name("log.txt")
    process = await start(str(root), "--port", "0", *args, errors=errors, **environ)
    try:
        printed = await _printed(process)
        found = re.search(r"on (http://\S+)", printed)
        assert found is not None, errors.read_text()
        async with httpx2.AsyncClient(base_url=found[1], trust_env=False, timeout=60) as http:
            yield Served(process, found[1], printed, errors, http)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _printed(process: asyncio.subprocess.Process) -> str:
    out = ""
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while "/v1/status" not in out and (line := await process.stdout.readline()):
            out += line.decode()
    return out
