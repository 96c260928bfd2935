"""Rows about what the gateway takes when it does little: memory, starting, commits."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

from benchmarks import processes
from benchmarks.bench import Bench, Target, median, write_tree
from benchmarks.plans import LONG, ONE, Plan
from benchmarks.processes import running
from benchmarks.rows import Row
from headgate.core.messages import Message, Text, Usage
from headgate.stores import open_ledger
from headgate.stores.records import NewRun, Produced, Progress, StepCommit, StepRecord, new_run_id

_TOGETHER = 8
_WARM = 300


async def memory(bench: Bench) -> list[Row]:
    """Growth of resident memory over sessions with one chat each, in a gateway of its own."""
    tree = write_tree(bench.folder / "memory", bench.provider)
    async with running(*processes.headgate(tree)) as child:
        target = Target("headgate", child)
        await _visit(target, ONE, _WARM)
        short = await _growth(target, ONE, bench.count(2000))
        await _visit(target, LONG, _TOGETHER)
        long = await _growth(target, LONG, bench.count(400))
    return [
        Row("memory", "memory per 1,000 sessions after one chat each", "MB", None, short, 10),
        Row("memory", f"the same after a chat of {LONG.deltas} deltas each", "MB", None, long, None),
    ]


async def _growth(target: Target, plan: Plan, count: int) -> float:
    """MB per 1,000 sessions."""
    before = target.child.rss()
    await _visit(target, plan, count)
    return (target.child.rss() - before) * 1000 / count


async def _visit(target: Target, plan: Plan, count: int) -> None:
    async def visitor(share: int) -> None:
        for _ in range(share):
            chat = await target.open()
            await chat.say(plan)
            chat.close()

    await asyncio.gather(*(visitor(count // _TOGETHER) for _ in range(_TOGETHER)))


async def start(bench: Bench) -> list[Row]:
    """Time from the start of the process to its first 200, and its memory then; the first start makes the store."""
    ways = ("floor", "first", "again")
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    size: dict[str, list[float]] = {way: [] for way in ways}
    spent: dict[str, list[float]] = {way: [] for way in ways}
    for index in range(bench.count(5)):
        tree = write_tree(bench.folder / f"start-{index}", bench.provider)
        for way in ways:
            command = processes.floor(tree, bench.provider) if way == "floor" else processes.headgate(tree)
            async with running(*command) as child:
                seconds[way].append(child.ready)
                size[way].append(child.rss())
                spent[way].append(child.cpu())
    ready, held, cpu = ({way: median(values[way]) for way in ways} for values in (seconds, size, spent))
    note = f"CPU until then: {cpu['floor']:.2f} (floor) and {cpu['again']:.2f} s; {cpu['first']:.2f} s the first time"
    return [
        Row("start", "start to healthy", "s", ready["floor"], ready["again"], 1.5, note=note),
        Row("start", "resident memory then", "MB", held["floor"], held["again"], 130),
        Row("start", "first start, which makes the store, to healthy", "s", None, ready["first"], 1.5),
        Row("start", "resident memory after a first start", "MB", None, held["first"], 130),
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
