"""Rows about many streams at a time: CPU per delta, throughput and lag."""

from __future__ import annotations

import asyncio
import statistics

from benchmarks.bench import Bench, Chat, Target, median
from benchmarks.client import Lags
from benchmarks.plans import ONE, Plan
from benchmarks.rows import Row

_RATE = 50
_PACED = 100
_POURED = 50
_ROUNDS = 3
_SETTLE = 0.7
_MORE = 50
_LATE = 50.0


async def _open(target: Target, count: int) -> list[Chat]:
    chats = [await target.open() for _ in range(count)]
    await asyncio.gather(*(chat.say(ONE) for chat in chats))
    return chats


def _close(chats: list[Chat]) -> None:
    for chat in chats:
        chat.close()


async def paced(bench: Bench) -> list[Row]:
    """100 streams at 50 deltas a second each, while all of them stream."""
    cost: dict[str, list[float]] = {target.name: [] for target in bench.targets}
    late: dict[str, list[float]] = {target.name: [] for target in bench.targets}
    window = max(1.0, 4.0 * bench.scale)
    for _ in range(_ROUNDS):
        for target in bench.targets:
            micros, lag = await _paced_round(target, _PACED, window)
            cost[target.name].append(micros)
            late[target.name].append(lag)
    lags = {name: median(values) for name, values in late.items()}
    note = f"{lags['direct']:.2f} ms without anything between the provider and the client"
    return [
        Row("paced", "server CPU per delta, 100 streams at 50 deltas/s", "us", median(cost["floor"]),
            median(cost["headgate"]), 60),
        Row("paced", "100 streams at 50 deltas/s: p99 lag", "ms", lags["floor"], lags["headgate"], 15, note=note),
    ]  # fmt: skip


async def _paced_round(target: Target, streams: int, window: float) -> tuple[float, float]:
    """CPU in us per delta, and the 99th percentile of the lag in ms, within the window."""
    chats, lags = await _open(target, streams), Lags()
    plan = Plan(deltas=round((window + 2 * _SETTLE) * _RATE), rate=_RATE)
    talk = asyncio.gather(*(chat.say(plan, lags) for chat in chats))
    await asyncio.sleep(_SETTLE)
    before, start = target.child.cpu(), len(lags.seen)
    await asyncio.sleep(window)
    spent, end = target.child.cpu() - before, len(lags.seen)
    await talk
    _close(chats)
    seen = lags.seen[start:end]
    return spent / len(seen) * 1e6, statistics.quantiles(seen, n=100)[98] / 1e6


async def poured(bench: Bench) -> list[Row]:
    """50 streams as fast as they go."""
    each = bench.count(4000)
    seen: dict[str, list[float]] = {target.name: [] for target in bench.servers}
    chats = {target.name: await _open(target, _POURED) for target in bench.servers}
    for _ in range(_ROUNDS):
        for target in bench.servers:
            before = target.child.cpu()
            await asyncio.gather(*(chat.say(Plan(deltas=each)) for chat in chats[target.name]))
            seen[target.name].append(_POURED * each / (target.child.cpu() - before))
    floor, headgate = median(seen["floor"]), median(seen["headgate"])
    work = "deltas per server CPU second, 50 streams flat out"
    return [Row("flat", work, "1/s", floor, headgate, 250_000, higher=True)]


async def crowd(bench: Bench) -> list[Row]:
    """How many streams at 50 deltas a second each a server on one core keeps pace with."""
    most = {}
    for target in bench.servers:
        with target.child.pinned():
            most[target.name] = await _most(target, max(1.0, 2.0 * bench.scale))
    work = f"most {_RATE} deltas/s streams on one core with p99 lag <= {_LATE:g} ms"
    note = f"tried in steps of {_MORE}; the client and the provider share the machine's other cores"
    return [Row("crowd", work, "streams", most["floor"], most["headgate"], 350, higher=True, note=note)]


async def _most(target: Target, window: float) -> int:
    """The last number before the first that is too many, also when it is tried again."""
    streams = _MORE
    while await _keeps_pace(target, streams, window) or await _keeps_pace(target, streams, window):
        streams += _MORE
    return streams - _MORE


async def _keeps_pace(target: Target, streams: int, window: float) -> bool:
    _, lag = await _paced_round(target, streams, window)
    return lag <= _LATE
