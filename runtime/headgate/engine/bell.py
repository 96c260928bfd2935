"""How a run in progress hears that something it waits for is settled, or that it shall leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Bell:
    """`answered` is for the calls of a turn that wait for somebody; those that are held for an answer have an event
    each."""

    answered: Callable[[str | None], None] | None = None
    leaving: bool = False
    _held: dict[str, asyncio.Event] = field(default_factory=dict)

    def ring(self, wait_id: str | None = None) -> None:
        """The wait is settled, or one of them may be."""
        for held, event in self._held.items():
            if wait_id in (None, held):
                event.set()
        if self.answered is not None:
            self.answered(wait_id)

    def hold(self, wait_id: str) -> asyncio.Event:
        """A call is held for this wait: the event is set when it may be settled."""
        return self._held.setdefault(wait_id, asyncio.Event())

    def let_go(self, wait_id: str) -> None:
        """The call is not held any more."""
        self._held.pop(wait_id, None)
