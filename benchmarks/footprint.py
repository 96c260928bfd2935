"""Rows about what the gateway takes when it does little: memory, starting, commits."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

from benchmarks import processes
from benchmarks.bench import Bench, Target, median, write_tree
from benchmarks.plans import ONE
from benchmarks.processes import running
from benchmarks.rows import Row
from headgate.core.messages import Message, Text, Usage
from headgate.stores import open_ledger
from headgate.stores.records import NewRun, Produced, Progress, StepCommit, StepRecord, new_run_id

_TOGETHER = 8
_WARM = 300


async def memory(bench: Bench) -> list[Row]:
    """Growth of resident memory over sessions with one chat each, in a gateway of its own."""
    count = bench.count(2000)
    tree = write_tree(bench.folder / "memory", bench.provider)
    async with running(*processes.headgate(tree)) as child:
        target = Target("headgate", child)
        await _visit(target, _WARM)
        before = child.rss()
        await _visit(target, count)
        grown = (child.rss() - before) * 1000 / count
    return [Row("memory", "memory per 1,000 sessions after one chat each", "MB", None, grown, 10)]


async def _visit(target: Target, count: int) -> None:
    async def visitor(share: int) -> None:
        for _ in range(share):
            chat = await target.open()
            await chat.say(ONE)
            chat.close()

    await asyncio.gather(*(visitor(count // _TOGETHER) for _ in range(_TOGETHER)))


async def start(bench: Bench) -> list[Row]:
    """Time from the start of the process to its first 200, and its memory then."""
    seconds: dict[str, list[float]] = {"floor": [], "headgate": []}
    size: dict[str, list[float]] = {"floor": [], "headgate": []}
    for index in range(bench.count(5)):
        tree = write_tree(bench.folder / f"start-{index}", bench.provider)
        commands = {"floor": processes.floor(tree, bench.provider), "headgate": processes.headgate(tree)}
        for name, command in commands.items():
            async with running(*command) as child:
                seconds[name].append(child.ready)
                size[name].append(child.rss())
    return [
        Row("start", "start to healthy", "s", median(seconds["floor"]), median(seconds["headgate"]), 1.5),
        Row("start", "resident memory then", "MB", median(size["floor"]), median(size["headgate"]), 130),
    ]


async def commits(bench: Bench) -> list[Row]:
    """Time that a step waits for its transaction, one at a time; the floor is a bare insert in the same mode."""
    count = bench.count(1000)
    folder = bench.folder / "ledger"
    folder.mkdir()
    async with open_ledger(f"sqlite:///{folder / 'state.db'}", folder) as ledger:
        run = NewRun(
            id=new_run_id(), agent="bench", principal="load", team="", model="claude-bench", revision="0" * 64,
            created_at=time.time(), messages=(Message("user", (Text("plan"),)),),
        )  # fmt: skip
        await ledger.create_run(run)
        taken = []
        for n in range(1, count + 1):
            began = time.perf_counter()
            await ledger.commit_step(_step(run.id, n))
            taken.append((time.perf_counter() - began) * 1000)
    note = f"99th percentile {sorted(taken)[int(len(taken) * 0.99)]:.2f} ms"
    return [
        Row(
            "commit",
            "time that a step waits for its commit",
            "ms",
            _bare(folder, count),
            median(taken),
            None,
            note=note,
        )
    ]


def _step(run: str, n: int) -> StepCommit:
    now = time.time()
    record = StepRecord(n=n, kind="model", name="claude-bench", started_at=now, ended_at=now, usage=Usage(10, 5))
    message = Message("assistant", (Text("a few words "),))
    progress = Progress(turns=n, usage=Usage(10, 5), cost=0.0, answer="a few words ")
    return StepCommit(run_id=run, fence=1, progress=progress, steps=(record,), messages=(Produced(message, n),))


def _bare(folder: Path, count: int) -> float:
    taken = []
    database = sqlite3.connect(folder / "bare.db", isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("CREATE TABLE steps (n INTEGER PRIMARY KEY, text TEXT)")
        for n in range(count):
            began = time.perf_counter()
            database.execute("INSERT INTO steps VALUES (?, ?)", (n, "a few words " * 20))
            taken.append((time.perf_counter() - began) * 1000)
    finally:
        database.close()
    return median(taken)
