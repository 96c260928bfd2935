"""Answers what a run asks on its way: with what a person says at the terminal, with a standing answer, or by ending the
run when there is neither."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from headgate.cli.client.line import Line
from headgate.cli.client.port import Question, Reply
from headgate.cli.dialog import Dialog, Keyboard
from headgate.cli.render import words
from headgate.cli.render.screen import Screen
from headgate.core.errors import Forbidden, GatewayError, RequestError
from headgate.core.events import ApprovalRequested, Event, InputRequested
from headgate.engine.run import Ending

C = TypeVar("C", bound=Callable[..., Any])
_SETTLED = (404, 409, 410)
"""Statuses of a question that somebody else has settled, whose time is over, or whose run has ended."""
_HELP = "Answer approvals: all or none of them; without it a person at the terminal is asked, or the run ends."

_ELICIT = "Questions of MCP servers that nobody is here to answer: decline them, or wait for somebody elsewhere."


def attended(command: C) -> C:
    """Adds the options with the standing answers to a command."""
    command = click.option("--elicit", type=click.Choice(["decline", "wait"]), default="decline", help=_ELICIT)(command)
    return click.option("--approve", type=click.Choice(["all", "none"]), help=_HELP)(command)


class Attendant:
    """Takes the questions of the runs of one line; at the `keyboard` there is a person, `approve` is said to every
    approval without asking."""

    def __init__(
        self, line: Line, screen: Screen | None, *, approve: str | None, keyboard: Keyboard | None = None,
        elicit: str = "decline",
    ) -> None:  # fmt: skip
        self._line = line
        self._screen = screen
        self._standing = approve
        self._keyboard = keyboard
        self._elicit = elicit

    def take(self, event: Event) -> None:
        """Sees to the event if it is a question that has a use for an answer."""
        if self._line.ending:
            return
        if isinstance(event, InputRequested) and event.kind == "client_tool":
            with self._settling(event):
                self._line.decline(event)
        elif isinstance(event, InputRequested) and event.kind == "input" and self._keyboard is None:
            self._nobody(event)
        elif isinstance(event, ApprovalRequested) and self._standing is not None:
            allowed = self._standing == "all"
            self._reply(event, Reply("approve") if allowed else Reply("deny", reason="nothing is approved in this run"))
        elif isinstance(event, Question):
            if self._keyboard is None:
                self._line.cancel(Ending(_unanswered(event)))
            else:
                self._ask(event, self._keyboard)

    def _nobody(self, event: InputRequested) -> None:
        """Nobody is at the terminal: the server is told no, unless somebody else may come and answer it."""
        if self._elicit == "wait":
            self._say(f"{event.name} waits for an answer: headgate approvals show {event.id}")
            return
        click.echo(f"headgate: {_declined(event)}", err=True)
        self._reply(event, Reply("decline"))

    def _reply(self, question: Question, reply: Reply) -> None:
        with self._settling(question):
            self._line.reply(question, reply)

    @contextlib.contextmanager
    def _settling(self, question: Question) -> Iterator[None]:
        """A question that is settled already is told; one that cannot be answered here ends the run, unless somebody
        else may come and answer it."""
        try:
            yield
        except GatewayError as error:
            status = error.status if isinstance(error, RequestError) else 0
            if status in _SETTLED:
                self._say(f"no answer is needed any more: {words.failure(error)}")
            elif self._keyboard is not None and status == Forbidden.status:
                self._say(f"{words.failure(error)}; somebody else has to answer")
            else:
                self._line.cancel(Ending(f"the question about {question.name} cannot be answered: {error.message}"))

    def _say(self, text: str) -> None:
        if self._screen is not None:
            self._screen.line(text, "yellow", whole=True)

    def _ask(self, question: Question, keyboard: Keyboard) -> None:
        with self._settling(question):
            terms = self._line.terms(question)
            if terms.refusal:
                self._line.cancel(Ending(f"{question.name} cannot be answered here: {terms.refusal}"))
                return
            reply = Dialog(self._line, keyboard, question, self._say).reply(terms)
            if reply is not None:
                self._line.reply(question, reply)


def _declined(event: InputRequested) -> str:
    return (
        f"MCP server {event.server} asks a person something for {event.name}, and nobody is here: it is declined; "
        "talk to the agent with headgate chat on a terminal, or say --elicit wait"
    )


def _unanswered(question: Question) -> str:
    if isinstance(question, ApprovalRequested):
        policy = f" (policy {question.policy})" if question.policy else ""
        return (
            f"{question.name} waits for an approval{policy}, and nobody is here to give it; "
            "say --approve all or --approve none, or talk to the agent with headgate chat on a terminal"
        )
    return (
        f"{question.name} was cut off, and nobody is here to say whether it took effect; "
        "talk to the agent with headgate chat on a terminal"
    )
