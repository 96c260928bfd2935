"""Work that a cancellation must not tear apart: what is committed has to be told, and what is told committed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from headgate.core.outlast import outlast


async def carry_out(work: Coroutine[Any, Any, None]) -> bool:
    """Runs the work to its end, whatever happens to the caller, and raises what it raises.

    Returns whether the caller was cancelled meanwhile; it is then for the caller to stop.
    """
    task = asyncio.ensure_future(work)
    cancelled = await outlast(task)
    task.result()
    return cancelled is not None
