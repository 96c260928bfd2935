"""What one call brings along to the server: how it is followed, and who answers what the server asks meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from headgate.core.inputs import Ask, Question, Reply, Round

Progress = Callable[[float, float | None, str | None], None]
"""Hears how far the call is: done, of how much, and a sentence."""


def unheard(_done: float, _total: float | None, _message: str | None) -> None:
    """Nobody follows the call."""


@dataclass(slots=True)
class Asking:
    """One call: the event loop's time at which it must have ended, whether it may be made twice, who follows it, who
    answers for it (None when nobody can be asked), and for whose account it is made.

    Calls of the same `owner` are for the same person. `round` is what the call goes on with that its server had
    interrupted. While somebody is asked the call takes no time: `deadline` moves.
    """

    deadline: float
    repeatable: bool = False
    progress: Progress = unheard
    ask: Ask | None = None
    owner: str = ""
    round: Round | None = None
    account: str = ""

    async def reply(self, question: Question) -> Reply:
        """What the person says; no, when there is nobody."""
        return await self.ask(question) if self.ask is not None else Reply()
