"""What every client of the command line can do, wherever the agent runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from headgate.core.events import Event
from headgate.core.messages import Message
from headgate.engine.run import Ending


class Client(Protocol):
    """One conversation with one agent. Everything but the properties belongs to the client's event loop."""

    @property
    def agent(self) -> str:
        """The agent's name."""
        ...

    @property
    def model(self) -> str:
        """The model's id, empty where the server does not tell it."""
        ...

    @property
    def demo(self) -> bool:
        """Whether the answers are scripted."""
        ...

    def ask(self, messages: Sequence[Message]) -> AsyncGenerator[Event, None]:
        """Starts a run on the whole conversation and yields its events, exactly one terminal event last; raises
        `GatewayError` before the first one when no run can be had. One at a time."""
        ...

    def cancel(self, ending: Ending) -> None:
        """Asks the running answer to end, and returns at once; the terminal event says so."""
        ...

    async def reset(self) -> None:
        """Goes on with a new session, which knows nothing of the one before."""
        ...

    async def refresh(self) -> str:
        """Makes edits of the tree live, between two runs; what became of them in a sentence, or nothing."""
        ...
