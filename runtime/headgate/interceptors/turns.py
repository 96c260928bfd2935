"""What interceptors need around model turns: what the user said last, and turns held back until they are whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from headgate.core.messages import Message
from headgate.core.ports import ModelEvent, ModelRequest, Restarted, TurnDone

Judge = Callable[[Message], Awaitable[None]]
"""Looks at a whole turn; raises `PolicyRefused`."""


def asked(request: ModelRequest) -> str:
    """What the user has just said; empty when the turn answers tool results instead."""
    newest = request.messages[-1] if request.messages else None
    return newest.text if newest is not None and newest.role == "user" else ""


async def judged(events: AsyncGenerator[ModelEvent], judge: Judge | None) -> AsyncGenerator[ModelEvent]:
    """The events of a turn, none of its text before it has been judged; as they come when there is no judge."""
    held: list[ModelEvent] = []
    async with aclosing(events) as source:
        async for event in source:
            if judge is None or isinstance(event, Restarted):
                held.clear()
                yield event
                continue
            held.append(event)
            if isinstance(event, TurnDone):
                await judge(event.message)
                for each in held:
                    yield each
