"""Functions that the tests call as tools."""

from __future__ import annotations

import asyncio
import enum
import functools
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field

from headgate.core.context import ToolContext
from headgate.core.errors import ToolError
from headgate.core.messages import Text, ToolResult, failed

if TYPE_CHECKING:
    from decimal import Decimal

run = subprocess.run
NUMBER = 7
started, ended = asyncio.Event(), asyncio.Event()


class Plan(enum.Enum):
    GOLD = "gold"
    IRON = "iron"


@dataclass
class Address:
    city: str
    zip: str = "00000"


class Line(BaseModel):
    id: int
    amount: float = Field(gt=0)


async def greet(name: Annotated[str, Field(description="Whom to greet")], *, loud: bool = False) -> str:
    return f"HELLO {name}" if loud else f"Hello {name}"


def bill(day: date, plan: Plan, to: Address, lines: list[Line], unit: Literal["eur", "usd"] = "eur") -> dict[str, Any]:
    total = sum(line.amount for line in lines)
    return {"year": day.year, "plan": plan.name, "city": to.city, "total": total, "unit": unit}


def odd_names(json: int, schema: int, _id: int = 1, model_config: int = 2) -> list[int]:
    return [json, schema, _id, model_config]


async def talk(topic: str, ctx: ToolContext) -> str:
    ctx.emit("progress", topic=topic)
    ctx.output("stdout", "line")
    return ctx.session.id


def talk_in_a_thread(topic: str, ctx: ToolContext) -> str:
    ctx.emit("progress", topic=topic)
    ctx.output("stdout", "line")
    return threading.current_thread().name


def give(what: str) -> Any:
    loop: list[Any] = []
    loop.append(loop)
    gifts: dict[str, Any] = {
        "none": None,
        "number": 3,
        "set": {1},
        "nan": float("nan"),
        "loop": loop,
        "hidden": "a\u200bb\x07c\ud800",
        "nested": {"a\u200b": ["x\u202e"]},
        "secret": {"token": "hunter22"},
        "result": ToolResult(content=(Text("te\u200bxt"),), structured={"a": [1, 2]}),
        "failed": failed("no_stock", "Nothing left."),
        "bad result": ToolResult(structured={1, 2}),
    }
    return gifts[what]


async def fail(how: str) -> None:
    if how == "tool":
        raise ToolError("no_customer", "There is no customer hunter22.", retryable=True, details={"n": 1})
    if how == "timeout":
        raise TimeoutError("inner")
    raise ValueError("hunter22")


async def wait_for_ever() -> None:
    started.set()
    try:
        await asyncio.Event().wait()
    finally:
        ended.set()


def _decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@_decorated
def wrapped(n: int) -> int:
    return n + 1


class Doubler:
    async def __call__(self, n: int) -> int:
        return 2 * n


doubler = Doubler()


def unhinted(name) -> str:  # type: ignore[no-untyped-def]
    return str(name)


def lazy_hint(price: Decimal) -> str:
    return str(price)


def lazy_result(price: int) -> Decimal:
    return price  # type: ignore[return-value]


def variadic(*args: int) -> None: ...


def keywords(**kwargs: int) -> None: ...


def positional(n: int, /) -> None: ...


def exotic(call: Callable[[], int], lock: threading.Lock) -> None: ...


def stream() -> Iterator[int]:
    yield 1


async def stream_async() -> AsyncIterator[int]:
    yield 1
