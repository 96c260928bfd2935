"""Rows about what the gateway takes when it does little: memory, starting."""

from __future__ import annotations

import asyncio

from benchmarks import processes
from benchmarks.bench import Bench, Target, median, write_tree
from benchmarks.plans import LONG, ONE, Plan
from benchmarks.processes import running
from benchmarks.rows import Row

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
