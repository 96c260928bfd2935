"""What a server asks for during a call, in the terms of the protocol: who is asked, and how replies go back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import mcp_types as types
import structlog
from mcp.shared.exceptions import MCPError
from msgspec.structs import replace
from pydantic import ValidationError

from headgate.core.errors import ToolError
from headgate.core.inputs import Action, Question, Reply, Round
from headgate.mcp.asking import Asking
from headgate.mcp.forms import STATE, Unfit, address, form

log = structlog.get_logger("headgate.mcp")

QUESTIONS = 20
"""Questions of one round; a call that asks more fails."""


@dataclass(frozen=True, slots=True)
class Called:
    """A call on its way: the tool by the server's name for it, and who answers."""

    tool: str
    asking: Asking


class Calls:
    """The calls that are on their way over one connection, for what the server asks meanwhile.

    Until 2025-11-25 a server asks on the connection, not on a call. Over streamable HTTP, what it sends on the response
    of a request is handled in the context of who made it, which tells the call; else the question is for the calls on
    its way, if all of them have the same owner. Where they have several, nobody is asked.
    """

    def __init__(self, server: str, timeout: float) -> None:
        self.server, self.timeout = server, timeout
        self._own: ContextVar[Called | None] = ContextVar("asked", default=None)
        self._made: list[Called] = []

    @contextlib.contextmanager
    def made(self, tool: str, asking: Asking) -> Iterator[None]:
        """One call."""
        called = Called(tool, asking)
        token = self._own.set(called)
        self._made.append(called)
        try:
            yield
        finally:
            self._made.remove(called)
            self._own.reset(token)

    async def pushed(self, context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:  # noqa: ARG002
        """Answers a question of the server."""
        called = self._asked()
        question = self.read(called.tool, params) if called is not None else None
        if called is None or question is None:
            if called is None:
                log.warning("mcp.question_declined", server=self.server, reason="it may be for several callers")
            return _result(Reply())
        return _result(await called.asking.reply(question))

    def read(self, tool: str, params: types.ElicitRequestParams) -> Question | None:
        """The question as it is shown, or None for one that cannot be put to anybody."""
        try:
            if isinstance(params, types.ElicitRequestURLParams):
                found = address(self.server, tool, params.message, str(params.url))
            else:
                found = form(self.server, tool, params.message, params.requested_schema)
        except Unfit as error:
            log.warning("mcp.question_declined", server=self.server, tool=tool, reason=str(error))
            return None
        return replace(found, timeout=self.timeout)

    def round(self, result: types.InputRequiredResult, called: Called, n: int) -> Round:
        """What the server wants to know before it answers a call (2026-07-28, multi round-trip requests); what nobody
        can be asked is settled. Raises `ToolError` for more than a call may ask."""
        wanted: Mapping[str, Any] = result.input_requests or {}
        if len(wanted) > QUESTIONS or len(result.request_state or "") > STATE:
            said = "the server asks more, or wants more to be kept for it, than one call may"
            raise ToolError("invalid_result", said)
        questions: dict[str, Question] = {}
        settled: dict[str, Action] = {}
        for name, request in wanted.items():
            fit = self.read(called.tool, request.params) if isinstance(request, types.ElicitRequest) else None
            if fit is None or called.asking.ask is None:
                settled[name] = "decline"
            else:
                questions[name] = fit
        return Round(questions, result.request_state, n=n, settled=settled)

    def errand(self, error: MCPError, called: Called, n: int) -> Round | None:
        """The addresses that the server wants visited before it takes the call; None for any other error, or where
        nobody can be asked."""
        if error.code != types.URL_ELICITATION_REQUIRED or called.asking.ask is None:
            return None
        try:
            wanted = types.ElicitationRequiredErrorData.model_validate(error.data).elicitations[:QUESTIONS]
        except ValidationError:
            return None
        questions = {str(index): self.read(called.tool, each) for index, each in enumerate(wanted)}
        fit = {name: question for name, question in questions.items() if question is not None}
        return Round(fit, n=n) if fit and len(fit) == len(questions) else None

    def _asked(self) -> Called | None:
        own = self._own.get()
        if own is not None and any(own is each for each in self._made):
            return own
        owners = {each.asking.owner for each in self._made}
        return self._made[0] if len(self._made) == 1 or (len(owners) == 1 and owners != {""}) else None


def visiting(round: Round) -> bool:
    """Whether the server only wanted addresses visited, and is told nothing: the call is made once more."""
    return round.state is None and all(each.url is not None for each in round.questions.values())


def responses(round: Round) -> dict[str, types.InputResponse]:
    """The replies of a round as the server gets them, by the names of its requests."""
    settled: dict[str, types.InputResponse] = {name: _result(Reply(each)) for name, each in round.settled.items()}
    return settled | {name: _result(round.replies.get(name, Reply("cancel"))) for name in round.questions}


def _result(reply: Reply) -> types.ElicitResult:
    return types.ElicitResult(action=reply.action, content=reply.content if reply.action == "accept" else None)
