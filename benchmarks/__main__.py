"""`python -m benchmarks [--only NAME] [--quick] [--write]`: measures and prints the table."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from benchmarks.bench import Bench, open_bench
from benchmarks.durable import commits, growth, steps, waiting
from benchmarks.footprint import memory, start
from benchmarks.latency import eight_calls, first_delta, request_cpu, tool_turn
from benchmarks.load import crowd, paced, poured
from benchmarks.manifests import manifests
from benchmarks.mcp_turn import mcp_turn
from benchmarks.rows import Row, as_table

ROWS: Mapping[str, Callable[[Bench], Awaitable[list[Row]]]] = {
    "ttfd": first_delta,
    "cpu": request_cpu,
    "paced": paced,
    "crowd": crowd,
    "flat": poured,
    "tool": tool_turn,
    "mcp": mcp_turn,
    "eight": eight_calls,
    "memory": memory,
    "start": start,
    "commits": commits,
    "steps": steps,
    "waiting": waiting,
    "growth": growth,
    "manifests": manifests,
}
_RESULTS = Path(__file__).with_name("results.md")
_QUICK = 0.2


def main() -> int:
    """Runs what is asked for."""
    asked = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="headgate-bench-") as folder:
        before = os.getloadavg()[0]
        rows = uvloop.run(_measure(Path(folder), asked.only or list(ROWS), _QUICK if asked.quick else 1.0))
    table = as_table(rows)
    print(f"\n{table}")
    if asked.write:
        _RESULTS.write_text(_report(table, before, asked), encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures Headgate beside floors.")
    parser.add_argument("--only", action="append", choices=list(ROWS), help="measure this row; may be repeated")
    parser.add_argument("--quick", action="store_true", help="a fifth of the work, for a rough look")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results.md")
    return parser


async def _measure(folder: Path, names: list[str], scale: float) -> list[Row]:
    rows: list[Row] = []
    async with open_bench(folder, scale) as bench:
        for name in names:
            print(f"{name} ...", file=sys.stderr, flush=True)
            rows += await ROWS[name](bench)
    return rows


def _report(table: str, load: float, asked: argparse.Namespace) -> str:
    command = "python -m benchmarks --write" + (" --quick" if asked.quick else "")
    return f"""# Benchmark results

Written by `{command}` on {datetime.now(UTC):%Y-%m-%d}: Python {platform.python_version()},
{platform.system()} on {platform.machine()}, {os.cpu_count()} noisy cores that the load client, the mock provider and
the server share. Absolute numbers are those of this machine; compare each with the floor beside it, which was measured
in the same run. The load average was {load:.1f} when the run began: other programs shared the cores. The goals are the
design's.

{table}
How it is measured: `floor` is a bare ASGI app (uvicorn, uvloop, httptools, aiohttp, msgspec) that runs the same agent
loop with raw HTTP and has no framework, SDK, authentication, store, validation or limits (`floor.py`). The provider is
a raw asyncio mock of the Messages API in a process of its own (`upstream.py`), the load client is a third process, and
all talk over loopback. CPU is what the scheduler counted for all threads of the server. Figures are medians of
interleaved rounds. Headgate runs with its default store, SQLite on disk.
"""


if __name__ == "__main__":
    sys.exit(main())
