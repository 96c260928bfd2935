"""Tools whose every execution is on paper: a line in a file that outlives the process."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec

from headgate.core.context import ToolContext

journal = Path("journal.jsonl")
"""Where executions are written; the process that is about to be killed sets it."""
PAUSE = 0.002


def note(path: Path, **line: Any) -> None:
    """Adds a line that is on the disk when this returns."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, msgspec.json.encode(line) + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


async def _work(ctx: ToolContext, tool: str, n: int) -> dict[str, int]:
    await asyncio.sleep(PAUSE)
    note(journal, tool=tool, key=ctx.idempotency_key, call=ctx.call_id, run=ctx.run)
    ctx.output("stdout", f"{tool} {n}\n")
    await asyncio.sleep(PAUSE)
    return {"n": n}


async def once(n: int, ctx: ToolContext) -> dict[str, int]:
    return await _work(ctx, "once", n)


async def careful(n: int, ctx: ToolContext) -> dict[str, int]:
    return await _work(ctx, "careful", n)


async def guarded(n: int, ctx: ToolContext) -> dict[str, int]:
    return await _work(ctx, "guarded", n)


async def repeat(n: int, ctx: ToolContext) -> dict[str, int]:
    return await _work(ctx, "repeat", n)


async def look(n: int, ctx: ToolContext) -> dict[str, int]:
    return await _work(ctx, "look", n)
