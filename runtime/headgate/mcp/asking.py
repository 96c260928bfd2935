"""What one call brings along to the server: how it is followed, and who answers what the server asks meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Progress = Callable[[float, float | None, str | None], None]
"""Hears how far the call is: done, of how much, and a sentence."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a server asks the person behind a call (MCP elicitation): a form of this schema, or a URL to visit."""

    message: str
    schema: dict[str, Any] = field(default_factory=dict)
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the person says."""

    action: Literal["accept", "decline", "cancel"] = "decline"
    content: dict[str, Any] | None = None


Ask = Callable[[Question], Awaitable[Reply]]


async def declined(_question: Question) -> Reply:
    """Nobody is there to be asked."""
    return Reply()


def unheard(_done: float, _total: float | None, _message: str | None) -> None:
    """Nobody follows the call."""


@dataclass(frozen=True, slots=True)
class Asking:
    """One call: the event loop's time at which it must have ended, whether it may be made twice, who follows it, who
    answers for it, and for whose account it is made."""

    deadline: float
    repeatable: bool = False
    progress: Progress = unheard
    ask: Ask = declined
    account: str = ""
