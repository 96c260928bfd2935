"""Bears gateways and kills them: a process that has everything imported forks one after the other.

`python -m tests.crash.nursery FOLDER SEED KILLS` prints a line of JSON for each series of kills: its seed, how many
gateways were killed, how many of them had runs in progress, what its runs met, and what was wrong.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from headgate.core.events import ENDED
from headgate.logs import configure
from tests.crash.books import misbooked
from tests.crash.life import Folder, life, only_the_ledger
from tests.crash.proof import faults
from tests.crash.record import Known, know_all, met, restore, save
from tests.crash.tree import SCRIPTS, plant

SERIES = 4
"""How often the runs of one series are killed."""
LONGEST = 0.25
"""Seconds that a gateway is in service at most before it is killed from outside."""
COMMITS = 90
"""Commits that it makes at most before it kills itself."""
PATIENCE = 60.0
"""Seconds after which something hangs."""


@dataclass(frozen=True, slots=True)
class Child:
    """A forked process; `ready` is the end of a pipe in which it writes that it is in service."""

    pid: int
    ready: int

    def served(self) -> None:
        """Returns when it is in service, or has ended."""
        select.select([self.ready], [], [], PATIENCE)

    def ended(self) -> int:
        """Waits for its end; the signal that killed it, else its exit code."""
        deadline = time.monotonic() + PATIENCE
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.ready)
                return -os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGABRT)
                deadline += PATIENCE
            time.sleep(0.001)


def bear(log: Path, work: Callable[[Callable[[], None]], Coroutine[Any, Any, None]]) -> Child:
    """Forks a process that does the work; it gets a function that says that it is in service."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Child(pid, reading)
    code = 1
    with suppress(BaseException):  # whatever happens, this process must not go on as its parent
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        try:
            asyncio.run(work(lambda: os.write(writing, b".")))
            code = 0
        except BaseException:  # noqa: BLE001 -- it is printed, and the parent is told
            sys.excepthook(*sys.exc_info())
    os._exit(code)


async def _doomed(folder: Folder, seed: int, ready: Callable[[], None], *, countdown: int, before: bool) -> None:
    async with life(folder, seed, countdown=countdown, before=before, patience=0.3) as alive:
        ready()
        await alive.on()


async def _last(folder: Folder, seed: int, verdict: Path, model: Path) -> None:
    """The gateway that is not killed: everything ends in it, and is judged."""
    async with life(folder, seed) as alive:
        await alive.out()
    async with only_the_ledger(folder) as ledger:
        now = await know_all(ledger)
        _judge(folder, now, verdict, model, [wrong async for wrong in misbooked(ledger, now)])


def _judge(folder: Folder, now: dict[str, Known], verdict: Path, model: Path, booked: list[str]) -> None:
    kept = [restore(path) for path in sorted(folder.root.glob("kept-*.json"))]
    wrong = booked + list(faults(folder, now, kept, {each.run.agent: each for each in restore(model).values()}))
    verdict.write_bytes(msgspec.json.encode({"met": met(now.values()), "problems": wrong[:20]}))


async def _remember(folder: Folder, number: int) -> None:
    async with only_the_ledger(folder) as ledger:
        save(folder.root / f"kept-{number}.json", await know_all(ledger))


async def _undisturbed(folder: Folder, model: Path) -> None:
    """One run of each agent, which nobody disturbs."""
    async with life(folder, 0) as alive, asyncio.TaskGroup() as group:
        for name in SCRIPTS:
            await alive.begin(group, name)
        await alive.out()
    async with only_the_ledger(folder) as ledger:
        save(model, await know_all(ledger))


async def _empty(folder: Folder) -> None:
    async with life(folder, 0):
        pass


def prepare(root: Path) -> None:
    """A tree whose ledger has been made already, and the undisturbed runs."""
    empty, model = Folder(root / "empty"), Folder(root / "model")
    plant(empty.tree)
    if bear(root / "log.txt", lambda ready: _empty(empty)).ended():
        sys.exit((root / "log.txt").read_text())
    shutil.copytree(empty.root, model.root)
    if bear(root / "log.txt", lambda ready: _undisturbed(model, root / "model.json")).ended():
        sys.exit((root / "log.txt").read_text())


def series(root: Path, seed: int) -> dict[str, Any]:
    """Kills a gateway, and the one that goes on with its runs, and so on; then judges what the last one made of it."""
    folder, dice = Folder(root / f"series-{seed}"), random.Random(seed)
    shutil.copytree(root / "empty", folder.root)
    log, problems, busy = folder.root / "log.txt", [], 0
    for number in range(SERIES):
        own = dice.random() < 0.5
        countdown, before = dice.randrange(1, COMMITS) if own else 0, dice.random() < 0.5
        born = seed * 100 + number
        child = bear(log, lambda ready, n=born, c=countdown, b=before: _doomed(folder, n, ready, countdown=c, before=b))
        if not own:
            if dice.random() < 0.8:
                child.served()
            time.sleep(dice.uniform(0, LONGEST))
            os.kill(child.pid, signal.SIGKILL)
        if (code := child.ended()) != signal.SIGKILL:
            problems.append(f"gateway {number} ended with {code} instead of being killed: {log.read_text()[-2000:]}")
        bear(log, lambda ready, n=number: _remember(folder, n)).ended()
        kept = restore(folder.root / f"kept-{number}.json")
        busy += any(each.run.state not in ENDED for each in kept.values())
    verdict = folder.root / "verdict.json"
    code = bear(log, lambda ready: _last(folder, seed * 100 + 99, verdict, root / "model.json")).ended()
    found = msgspec.json.decode(verdict.read_bytes()) if verdict.exists() else {"met": {}, "problems": []}
    if code:
        problems.append(f"the last gateway ended with {code}: {log.read_text()[-4000:]}")
    problems += found["problems"]
    if not problems:
        shutil.rmtree(folder.root)
    return {"seed": seed, "kills": SERIES, "busy": busy, "met": found["met"], "problems": problems}


def main(root: Path, seed: int, kills: int) -> None:
    """Prints the result of every series."""
    configure("error")
    prepare(root)
    gc.collect()
    gc.freeze()
    for number in range(seed, seed + -(-kills // SERIES)):
        sys.stdout.buffer.write(msgspec.json.encode(series(root, number)) + b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
