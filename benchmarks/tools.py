"""The function tools that the measured agents call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


async def echo(text: str) -> dict[str, str]:
    """Gives the text back."""
    return {"text": text}


async def wait(seconds: float) -> dict[str, float]:
    """Sleeps, and says for how long."""
    await asyncio.sleep(seconds)
    return {"seconds": seconds}


CALLS: dict[str, Callable[..., Awaitable[Any]]] = {"echo": echo, "wait": wait}
