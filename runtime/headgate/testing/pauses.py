"""Pauses that take no time: the clock of retries in tests."""

from __future__ import annotations

import asyncio


class NoPauses:
    """Draws the longest pause and does not wait; `taken` lists the pauses in seconds."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def draw(self, longest: float) -> float:
        """No jitter: always the longest pause."""
        return longest

    async def pause(self, seconds: float) -> None:
        """Notes the pause and lets others run."""
        self.taken.append(seconds)
        await asyncio.sleep(0)
