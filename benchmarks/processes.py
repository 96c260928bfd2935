"""The processes that are measured: started on a free port of this machine, read through /proc, ended by their id."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_START = 30.0
_STOP = 20.0


def free_port() -> int:
    """A port that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Child:
    """One process. `ready` is how many seconds it took to answer."""

    def __init__(self, command: Sequence[str], port: int, log: Path) -> None:
        self.port = port
        self.ready = 0.0
        self._log = log
        path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=log.parent,
                env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def cpu(self) -> float:
        """Seconds of CPU of all its threads, by the scheduler's own count (ns); threads that ended are not in it."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def rss(self) -> float:
        """Resident memory in MB (10^6 bytes)."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise RuntimeError("smaps_rollup has no Rss")

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """All its threads share one core."""
        before = os.sched_getaffinity(self.pid)
        self._place({min(before)})
        try:
            yield
        finally:
            self._place(before)

    def _place(self, cores: set[int]) -> None:
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), cores)

    def require_alive(self) -> None:
        """Raises with the process's last words when it has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"process {self.pid} ended; its last words: {self.words()}")

    def words(self) -> str:
        """The end of what it printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-3000:]

    def stop(self) -> None:
        """Ends it, and waits for that."""
        self._process.terminate()
        try:
            self._process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@asynccontextmanager
async def running(command: Sequence[str], port: int, log: Path) -> AsyncIterator[Child]:
    """The process, once it answers HTTP on its port."""
    began = time.perf_counter()
    child = Child(command, port, log)
    try:
        while not await _answers(port):
            child.require_alive()
            if time.perf_counter() - began > _START:
                raise RuntimeError(f"{command} does not answer; its last words: {child.words()}")
            await asyncio.sleep(0.005)
        child.ready = time.perf_counter() - began
        yield child
    finally:
        child.stop()


async def _answers(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(b"GET /api/health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        return (await reader.readline()).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
    finally:
        writer.close()


def upstream(log: Path) -> tuple[list[str], int, Path]:
    """What `running` needs for the mock provider."""
    port = free_port()
    return [sys.executable, "-m", "benchmarks.upstream", str(port)], port, log / "upstream.log"


def floor(log: Path, provider: int) -> tuple[list[str], int, Path]:
    """The same for floor-agent."""
    port = free_port()
    return (
        [sys.executable, "-m", "benchmarks.floor", str(port), f"http://127.0.0.1:{provider}"],
        port,
        log / "floor.log",
    )


def headgate(tree: Path) -> tuple[list[str], int, Path]:
    """The same for a gateway that serves `tree`."""
    port = free_port()
    script = str(Path(sys.executable).with_name("headgate"))
    return [script, "serve", str(tree), "--host", "127.0.0.1", "--port", str(port)], port, tree / "serve.log"
