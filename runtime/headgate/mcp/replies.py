"""What is answered when a server asks for input: the person behind the call where there is one, else no."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import mcp_types as types

from headgate.mcp.asking import Ask, Question, declined


class Calls:
    """The calls that are on their way over one connection, for what the server asks meanwhile.

    Until 2025-11-25 a server asks on the connection, not on a call. Over streamable HTTP, what it sends on the response
    of a request is handled in the context of who made it, which tells the call; else the question is for the only call
    on its way. Where there are several, nobody is asked.
    """

    def __init__(self) -> None:
        self._own: ContextVar[Ask | None] = ContextVar("asked", default=None)
        self._asked: list[Ask] = []

    @contextlib.contextmanager
    def made(self, ask: Ask) -> Iterator[None]:
        """One call, for which `ask` answers."""
        token = self._own.set(ask)
        self._asked.append(ask)
        try:
            yield
        finally:
            self._asked.remove(ask)
            self._own.reset(token)

    async def pushed(self, context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:  # noqa: ARG002
        """Answers a question of the server."""
        own = self._own.get()
        only = self._asked[0] if len(self._asked) == 1 else declined
        return await _asked(params, own if own in self._asked else only)


async def answers(result: types.InputRequiredResult, ask: Ask) -> dict[str, Any]:
    """The responses to the requests in a result (2026-07-28, multi round-trip requests), by their names."""
    return {name: await _answer(each, ask) for name, each in (result.input_requests or {}).items()}


async def _answer(request: Any, ask: Ask) -> Any:
    if not isinstance(request, types.ElicitRequest):
        return types.ElicitResult(action="decline")
    return await _asked(request.params, ask)


async def _asked(params: types.ElicitRequestParams, ask: Ask) -> types.ElicitResult:
    if isinstance(params, types.ElicitRequestURLParams):
        question = Question(params.message, url=str(params.url))
    else:
        question = Question(params.message, dict(params.requested_schema))
    reply = await ask(question)
    return types.ElicitResult(action=reply.action, content=reply.content if reply.action == "accept" else None)
