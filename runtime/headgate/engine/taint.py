"""What a run has read that nobody vouches for: told from its transcript, so that it is the same after a restart, and
from what earlier runs of its session had read, which a client that posts another history does not undo.

Results are marked (`ToolResult.meta`) when they are made. They count from the model's next turn on, since calls of the
same turn were decided on before the model had read them.
"""

from __future__ import annotations

from collections.abc import Iterable

from headgate.core.messages import Message, ToolOutcome

MARK = "tainted"
"""The member of a result's `meta` that names where it comes from."""


class Taint:
    """The sources that a run has read from; false while there are none."""

    def __init__(self) -> None:
        self.sources: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self.sources)

    def read(self, messages: Iterable[Message]) -> None:
        """The model is going to see these messages."""
        self.sources |= sources_of(messages)


def sources_of(messages: Iterable[Message]) -> set[str]:
    """The sources of the results in these messages."""
    parts = (part for message in messages for part in message.parts if isinstance(part, ToolOutcome))
    return {str(part.result.meta[MARK]) for part in parts if MARK in part.result.meta}
