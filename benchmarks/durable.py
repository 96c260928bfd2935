"""Rows about what durability costs: commits, waiting runs, the growth of the ledger, and going on after a kill."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.bench import Bench, median
from benchmarks.rows import Row
from headgate.boot import Place, open_gateway
from headgate.core.events import MessageCompleted, RunStarted, TextDelta
from headgate.core.messages import Message, Text, Usage
from headgate.engine.host import Host
from headgate.engine.run import Order
from headgate.engine.trial.ledger import unkept
from headgate.stores import open_ledger
from headgate.stores.port import Ledger
from headgate.stores.records import Lease, NewRun, Produced, Progress, StepCommit, StepRecord, new_run_id
from headgate.stores.told import Told

_LEASE = Lease("bench", 60.0)
_GATEWAY = """
version = 1
name = "bench"
[server.limits]
runs = 1000000
[limits]
runs_per_key = 1000000
[auth.keys.load]
key = "key-of-the-benchmarks"
[providers.default]
kind = "scripted"
script = "script.yaml"
[functions]
packages = ["benchmarks"]
[approvals.ask]
tools = ["hold"]
decide = "ask"
timeout = "7d"
"""
_TOOL = "kind: function\ndescription: Gives a text back.\ncall: benchmarks.tools:echo\n"
_AGENT = "---\ndescription: What the benchmarks talk to.\ntools: [echo, hold]\n---\nYou are measured.\n"
_SCRIPT = """
- {when: {user_contains: hold}, call: hold, args: {text: a}}
- {when: {user_contains: tool}, call: echo, args: {text: a}}
- {text: A short answer of a few words.}
"""
_WAITING = 10_000
_LONG = "".join(f"word{n} " for n in range(200))


async def commits(bench: Bench) -> list[Row]:
    """Steps a second that the ledger commits, one run at a time and 64 side by side."""
    folder = bench.folder / "commits"
    folder.mkdir()
    count = bench.count(4000)
    async with open_ledger("sqlite:///state.db", folder) as ledger:
        alone = await _rate(ledger, 1, count // 4)
        together = await _rate(ledger, 64, count)
    return [
        Row("durable", "steps committed per second, one run", "1/s", None, alone, None, higher=True),
        Row("durable", "steps committed per second, 64 runs side by side", "1/s", None, together, None, higher=True),
    ]


async def _rate(ledger: Ledger, runs: int, count: int) -> float:
    identities = [await _a_run(ledger) for _ in range(runs)]

    async def work(run: str) -> None:
        for n in range(1, count // runs + 1):
            await ledger.commit_step(_a_step(run, n))

    began = time.perf_counter()
    await asyncio.gather(*map(work, identities))
    return count / (time.perf_counter() - began)


async def _a_run(ledger: Ledger) -> str:
    run = NewRun(
        id=new_run_id(), agent="bench", principal="load", key_digest="d", team="", model="m", revision="0" * 64,
        created_at=time.time(), messages=(Message("user", (Text("plan"),)),),
    )  # fmt: skip
    started = RunStarted(agent="bench", revision="0" * 64, model="m", run=run.id, fence=1, n=1, at=time.time())
    await ledger.create_run(run, _LEASE, Told((started,)))
    return run.id


def _a_step(run: str, n: int) -> StepCommit:
    now, usage = time.time(), Usage(10, 5)
    record = StepRecord(n=n, kind="model", name="m", started_at=now, ended_at=now, usage=usage)
    deltas = tuple(TextDelta(text="some words ", run=run, step=n, fence=1, n=n * 10 + i, at=now) for i in range(8))
    text = "".join(delta.text for delta in deltas)
    told = MessageCompleted(text=text, usage=usage, model="m", run=run, step=n, fence=1, n=n * 10 + 8, at=now)
    return StepCommit(
        run_id=run, fence=1, progress=Progress(turns=n, usage=usage, answer="a few words"), steps=(record,),
        messages=(Produced(Message("assistant", (Text(text),)), n),), told=Told((told,), deltas),
    )  # fmt: skip


async def steps(bench: Bench) -> list[Row]:
    """Time of a run with one tool call, in the process, with the default store and with one that keeps nothing."""
    async with _gateway(bench.folder / "steps") as host:
        kept = await _runs(host, bench.count(300))
        bare = await _runs(Host(unkept(), host.snapshot.acquire()), bench.count(300))
        host.snapshot.release()
    note = f"the whole run takes {bare:.2f} ms without a store and {kept:.2f} ms with it: five transactions"
    return [Row("durable", "store on, added to a run with one tool call", "ms", None, kept - bare, None, note=note)]


async def _runs(host: Host, count: int) -> float:
    """Milliseconds of a run."""
    taken = []
    for _ in range(count + 20):
        began = time.perf_counter()
        run = await host.submit(_order(host, "tool"))
        if run.task is not None:
            await run.task
        taken.append((time.perf_counter() - began) * 1000)
    return median(taken[20:])


def _order(host: Host, text: str) -> Order:
    (principal,) = host.snapshot.principals.values()
    return Order(principal, "bench", (Message("user", (Text(text),)),))


async def waiting(bench: Bench) -> list[Row]:
    """Runs that wait for an approval: what each of them costs a process that goes on."""
    count = bench.count(_WAITING)
    async with _gateway(bench.folder / "waiting") as host:
        await _wait(host, 200)
        memory, size = _rss(), await host.ledger.size()
        await _wait(host, count)
        grown, kept = _rss() - memory, await host.ledger.size() - size
        tasks = sum(task.get_name().startswith("run ") for task in asyncio.all_tasks())
        before = time.process_time()
        await asyncio.sleep(5)
        idle = (time.process_time() - before) / 5 * 100
        pending = await host.ledger.count_waits()
    note = f"{pending:,} waits are pending; {tasks} tasks of runs; idle CPU of the process {idle:.2f} %"
    return [
        Row("durable", f"memory of {count:,} waiting runs", "MB", None, grown, None, note=note),
        Row("durable", "ledger on disk per waiting run", "KiB", None, kept / count / 1024, None),
    ]


async def _wait(host: Host, count: int) -> None:
    for first in range(0, count, 50):
        runs = [await host.submit(_order(host, "hold")) for _ in range(min(50, count - first))]
        await asyncio.gather(*(run.task for run in runs if run.task is not None))


def _rss() -> float:
    """Resident memory now, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


async def growth(bench: Bench) -> list[Row]:
    """Bytes on disk of a run whose answer is a stream of 200 deltas, all its events included."""
    count = bench.count(1000)
    async with _gateway(bench.folder / "growth", script=f"- {{text: {_LONG!r}}}\n") as host:
        await _answers(host, 50)
        before = await host.ledger.size()
        await _answers(host, count)
        grown = (await host.ledger.size() - before) / count
    note = f"the text itself has {len(_LONG):,} bytes"
    return [Row("durable", "ledger on disk per run with 200 deltas", "KiB", None, grown / 1024, None, note=note)]


async def _answers(host: Host, count: int) -> None:
    for _ in range(count):
        run = await host.submit(_order(host, "hi"))
        if run.task is not None:
            await run.task


@asynccontextmanager
async def _gateway(root: Path, script: str = _SCRIPT) -> AsyncIterator[Host]:
    files = {
        "gateway.toml": _GATEWAY, "agents/bench.md": _AGENT, "script.yaml": script, "tools/echo.yaml": _TOOL,
        "tools/hold.yaml": _TOOL,
    }  # fmt: skip
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    async with open_gateway(Place(root, environ={}), watch=False) as gateway:
        yield gateway.edge.host
