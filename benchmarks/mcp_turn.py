"""Rows about the tools of an MCP server: a gateway of its own, whose agent calls one over stdio."""

from __future__ import annotations

import json
import sys

from benchmarks import processes
from benchmarks.bench import Bench, Target, median, write_tree
from benchmarks.plans import ECHO, ECHOES, MANY, ONE
from benchmarks.processes import running
from benchmarks.rows import Row

_WARM = 30
_SERVER = """
[mcp.servers.near]
command = {command}
args = ["-m", "headgate.testing.mcp_stdio"]
prefix = ""
allow = ["echo"]
"""


async def mcp_turn(bench: Bench) -> list[Row]:
    """What a turn with one tool of a stdio server takes beyond a turn without, less the provider's second answer; and
    the CPU of one more call, which passes the one door as every call does, and is committed."""
    root = write_tree(bench.folder / "mcp-tree", bench.provider)
    (root / "tools/echo.yaml").unlink()
    with (root / "gateway.toml").open("a", encoding="utf-8") as gateway:
        gateway.write(_SERVER.format(command=json.dumps(sys.executable)))
    async with running(*processes.headgate(root)) as child:
        through, provider = await Target("headgate", child).open(), await bench.targets[0].open()
        for _ in range(_WARM):
            await through.say(ECHO)
        times: dict[str, list[float]] = {"plain": [], "tool": [], "provider": []}
        before, count = child.cpu(), bench.count(400)
        for _ in range(count):
            times["tool"].append((await through.say(ECHO)).end)
        cpu = (child.cpu() - before) / count * 1000
        before, some = child.cpu(), bench.count(100)
        for _ in range(some):
            await through.say(ECHOES)
        more = ((child.cpu() - before) / some * 1000 - cpu) / (MANY - 1)
        for _ in range(count):
            times["plain"].append((await through.say(ONE)).end)
            times["provider"].append((await provider.say(ONE)).end)
    plain, tool, answer = (median(times[name]) * 1000 for name in ("plain", "tool", "provider"))
    note = f"as with a local tool; the gateway's own CPU for the whole run, two turns and the call, is {cpu:.2f} ms"
    each = f"the gateway's own, of a run with {MANY} calls in one turn beyond one with a single call"
    return [
        Row("mcp", "overhead of a turn with a stdio MCP tool", "ms", None, tool - plain - answer, 3, note=note),
        Row("mcp", "CPU per governed call of a stdio MCP tool", "ms", None, more, 2.5, note=each),
    ]
