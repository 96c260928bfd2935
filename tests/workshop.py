"""Functions that the trees of the tests offer as tools."""

from __future__ import annotations

import asyncio
from typing import Any

from headgate.core.context import ToolContext
from headgate.core.errors import ToolError
from tests.waiting import until

gates: dict[str, asyncio.Event] = {}
entered: list[str] = []


def gate(name: str) -> asyncio.Event:
    """The gate of that name; made when it is first asked for."""
    return gates.setdefault(name, asyncio.Event())


async def add(a: int, b: int) -> dict[str, int]:
    return {"sum": a + b}


async def wait(name: str) -> str:
    entered.append(name)
    await gate(name).wait()
    return f"{name} is open"


async def talk(ctx: ToolContext, topic: str) -> str:
    ctx.emit("progress", topic=topic, done=0.5)
    ctx.output("stdout", f"{topic}\n")
    return topic


async def fail(how: str) -> Any:
    if how == "tool":
        raise ToolError("no_customer", "There is no such customer.")
    if how == "odd":
        return {1, 2}
    raise ValueError(how)


async def meet(n: int, ctx: ToolContext) -> int:
    """Returns when its two neighbours of the same turn are there too, so it never does if calls run one by one."""
    entered.append(ctx.run)
    await until(lambda: entered.count(ctx.run) == 3)
    return n


async def rows(n: int) -> dict[str, Any]:
    return {"rows": [{"n": each, "name": f"row {each}"} for each in range(n)]}
