"""What an MCP server asks the person behind a call (elicitation, MCP 2025-11-25 and 2026-07-28), and what that says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

Action = Literal["accept", "decline", "cancel"]
"""`accept` with what was asked for, `decline` on purpose, `cancel` without a choice."""


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """One question of a server, cleaned: a form of this JSON Schema of flat values, or an address to visit.

    `message` is the server's own text, and so is all text in the schema. `tool` is the server's own name for it.
    `timeout` is how many seconds somebody has to answer.
    """

    server: str
    tool: str
    message: str
    schema: dict[str, Any] | None = None
    url: str | None = None
    timeout: float = 600.0


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the person says; `content` are the values of an accepted form."""

    action: Action = "decline"
    content: dict[str, Any] | None = None


class Round(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a call goes on that its server has interrupted with questions: it is made again, with the `replies` and
    with the server's own `state`, which is opaque.

    `origin` is a digest of how the server is reached: nobody else is told the replies. `n` counts the rounds of a call
    from 1. `settled` are replies to questions that nobody was asked.
    """

    questions: dict[str, Question]
    state: str | None = None
    origin: str = ""
    n: int = 1
    settled: dict[str, Action] = {}
    replies: dict[str, Reply] = {}

    @property
    def next(self) -> str | None:
        """The name of the first question without a reply."""
        return next((name for name in self.questions if name not in self.replies), None)

    def with_reply(self, reply: Reply) -> Round:
        """The round with the reply to the next question; who dismisses one is not asked the others."""
        name = self.next
        if name is None:
            return self
        answered = dict.fromkeys(self.questions, reply) if reply.action == "cancel" else {name: reply}
        return msgspec.structs.replace(self, replies={**answered, **self.replies})


Ask = Callable[[Question], Awaitable[Reply]]
"""Asks the person, while the call waits."""
