"""What every client of the command line can do, wherever the agent runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from headgate.core.events import ApprovalRequested, Event, InputRequested
from headgate.core.messages import ErrorInfo, Message
from headgate.engine.run import Ending
from headgate.stores.waits import Decision

Question = ApprovalRequested | InputRequested
"""What a run asks of somebody before it goes on."""
NOT_SUPPORTED = ErrorInfo("not_supported", "the person uses a command line that cannot execute tools of a front end")
"""What the model reads of a client tool."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a person says to a question; `remember` extends an approval to the rest of the conversation, `edited_args`
    are approved instead of those that were asked about, `content` are the values of a form."""

    decision: Decision
    reason: str = ""
    remember: bool = False
    edited_args: dict[str, Any] | None = None
    content: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """How a question may be answered here: whether an approval may be remembered, whether a reason arrives, and why
    it may not be answered at all, if so."""

    remember: bool = False
    reason: bool = True
    refusal: str = ""


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

    async def terms(self, question: Question) -> Terms:
        """How the question may be answered by this client; raises `GatewayError`."""
        ...

    async def reply(self, question: Question, reply: Reply) -> None:
        """Answers a question of the run that is going on; raises `RequestError` when it is settled already or the
        answer is refused, and other `GatewayError`s when it does not arrive."""
        ...

    async def decline(self, question: InputRequested) -> None:
        """Answers a client tool with the error that nobody here can execute it; raises as `reply` does."""
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
