"""Why a program is not spoken to any more: with what it ended, and what it said last."""

from __future__ import annotations

import asyncio
import contextlib
import signal

from headgate.mcp.listing import visible
from headgate.mcp.stdio import MAX_LINE, Child

_PATIENCE = 0.5
"""Seconds that a program which closed its output has to end, and its last words to arrive."""
_WORDS = 300


async def parting(child: Child) -> str | None:
    """The reason in words, which may hold secrets; None while the program can be spoken to."""
    if child.overflow:
        return f"the program wrote a message of more than {MAX_LINE >> 20} MiB"
    if not child.ended:
        return None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await child.exited.wait()
            await child.silent.wait()
    words = visible(child.words, _WORDS)
    return f"the program {_end(child.code)}{f'; its last words: {words}' if words else ''}"


def _end(code: int | None) -> str:
    if code is None:
        return "closed its output"
    if code >= 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"
