"""Rows about big trees: 1,000 manifests validated cold, and one edit of them, with streams beside it."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bench import Bench
from benchmarks.rows import Row
from headgate.boot import Place, open_gateway, settle_memory
from headgate.cli.serve import SWITCH_INTERVAL
from headgate.compile.compiler import Compiler
from headgate.kinds import DEFAULT_KINDS

_TOOLS, _AGENTS = 700, 299
_EDITS = 9
_PULSE = 0.002
_GATEWAY = """version = 1
default_agent = "agent-0"
[auth.keys.load]
key = "key-of-the-benchmarks"
[providers.default]
kind = "scripted"
turns = [{text = "Hello."}]
"""
_TOOL = """# yaml-language-server: $schema=../schemas/tool.schema.json
kind: http
description: The customer's plan and open invoices, number {n}.
input:
  type: object
  properties:
    name: {{type: string, description: Customer name}}
    limit: {{type: integer, minimum: 1, maximum: 100}}
  required: [name]
request:
  method: GET
  url: https://crm.example.com/v1/customers/{n}
  query: {{q: "{{{{ args.name }}}}", limit: "{{{{ args.limit }}}}"}}
  headers: {{Authorization: "Bearer ${{env:CRM_TOKEN:-none}}"}}
output: "results[0].{{plan: plan_name, open: invoices[?paid==`false`].number}}"
timeout: 10s
"""
_AGENT = """---
description: Answers questions about customers of region {n}.
tags: [support]
tools: [tool-{a}, tool-{b}, "tool-{c}*"]
max_turns: 12
channels:
  slack: {{append: "Answer in three lines."}}
---
You are the assistant of region {n}. Today is {{{{ today }}}}. Your team is {{{{ session.team }}}}.
"""


def write_tree(root: Path) -> Path:
    """1,000 manifests: `gateway.toml`, 700 tools, 299 agents."""
    for folder in ("agents", "tools"):
        (root / folder).mkdir(parents=True)
    (root / "gateway.toml").write_text(_GATEWAY, encoding="utf-8")
    for n in range(_TOOLS):
        (root / f"tools/tool-{n}.yaml").write_text(_TOOL.format(n=n), encoding="utf-8")
    for n in range(_AGENTS):
        text = _AGENT.format(n=n, a=n, b=n + 1, c=n % 70)
        (root / f"agents/agent-{n}.md").write_text(text, encoding="utf-8")
    return root


async def manifests(_bench: Bench) -> list[Row]:
    """Cold validation, the reload of one edit, and how long that holds up the event loop."""
    with TemporaryDirectory(prefix="headgate-manifests-") as folder:
        root = write_tree(Path(folder))
        cold = await asyncio.to_thread(_cold, root)
        edits, pauses = await _edits(root)
    note = f"{_EDITS} edits of one tool each; the longest pause of the event loop meanwhile was {max(pauses):.0f} ms"
    return [
        Row("manifests", "1,000 manifests: cold validate", "s", None, cold, 1.5),
        Row("manifests", "1,000 manifests: reload of one edit", "ms", None, statistics.median(edits), 150, note=note),
    ]


def _cold(root: Path) -> float:
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        compiled = Compiler(root, DEFAULT_KINDS, {}).compile()
        taken.append(time.perf_counter() - begun)
        if not compiled.ok:
            raise RuntimeError(f"the tree has errors: {compiled.diagnostics[:3]}")
    return statistics.median(taken)


async def _edits(root: Path) -> tuple[list[float], list[float]]:
    """Milliseconds of every reload, and the longest pause of the loop during each."""
    taken, pauses = [], []
    async with open_gateway(Place(tree=root, environ={}), watch=False) as gateway:
        settle_memory()  # as `headgate serve` does, and has done with the interval
        sys.setswitchinterval(SWITCH_INTERVAL)
        for n in range(_EDITS):
            path = root / f"tools/tool-{n}.yaml"
            path.write_text(path.read_text(encoding="utf-8").replace("plan", f"plan {n}", 1), encoding="utf-8")
            pulse = asyncio.create_task(_longest_pause())
            begun = time.perf_counter()
            done = await gateway.edge.reloader.reload()
            taken.append((time.perf_counter() - begun) * 1000)
            pulse.cancel()
            pauses.append(await pulse)
            if done.status != "applied":
                raise RuntimeError(f"an edit was {done.status}: {done.diagnostics[:3]}")
    return taken, pauses


async def _longest_pause() -> float:
    """How late, in milliseconds, a pulse of the event loop came at the worst, until it is cancelled."""
    worst, last = 0.0, time.perf_counter()
    try:
        while True:
            await asyncio.sleep(_PULSE)
            now = time.perf_counter()
            worst, last = max(worst, now - last - _PULSE), now
    except asyncio.CancelledError:
        return max(worst, time.perf_counter() - last - _PULSE) * 1000
