"""Answers what a run asks on its way: with what a person says at the terminal, with a standing answer, or by ending the
run when there is neither."""

from __future__ import annotations

import contextlib
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import click

from headgate.cli.client.line import Line
from headgate.cli.client.port import Question, Reply, Terms
from headgate.cli.render import words
from headgate.cli.render.screen import Screen
from headgate.core.errors import Forbidden, GatewayError, RequestError
from headgate.core.events import ApprovalRequested, ApprovalResolved, Event, InputRequested, RunEnd, ToolCompleted
from headgate.core.events import ToolOutput as Output
from headgate.engine.run import Ending
from headgate.stores.waits import Decision

C = TypeVar("C", bound=Callable[..., Any])
_OUTCOMES: Mapping[str, Decision] = {"r": "retry", "d": "done", "f": "failed"}
_SETTLED = (404, 409, 410)
"""Statuses of a question that somebody else has settled, whose time is over, or whose run has ended."""
_HELP = "Answer approvals: all or none of them; without it a person at the terminal is asked, or the run ends."


def attended(command: C) -> C:
    """Adds the option with the standing answer to a command."""
    return click.option("--approve", type=click.Choice(["all", "none"]), help=_HELP)(command)


class Attendant:
    """Takes the questions of the runs of one line; `person` says whether somebody is at the terminal, `approve` what is
    said to every approval without asking."""

    def __init__(self, line: Line, screen: Screen | None, *, approve: str | None, person: bool = False) -> None:
        self._line = line
        self._screen = screen
        self._standing = approve
        self._person = person

    def take(self, event: Event) -> None:
        """Sees to the event if it is a question that has a use for an answer."""
        if self._line.ending:
            return
        if isinstance(event, InputRequested) and event.kind == "client_tool":
            with self._settling(event):
                self._line.decline(event)
        elif isinstance(event, ApprovalRequested) and self._standing is not None:
            allowed = self._standing == "all"
            self._reply(event, Reply("approve") if allowed else Reply("deny", reason="nothing is approved in this run"))
        elif isinstance(event, Question):
            if self._person:
                self._ask(event)
            else:
                self._line.cancel(Ending(_unanswered(event)))

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
            elif self._person and status == Forbidden.status:
                self._say(f"{words.failure(error)}; somebody else has to answer")
            else:
                self._line.cancel(Ending(f"the question about {question.name} cannot be answered: {error.message}"))

    def _say(self, text: str) -> None:
        if self._screen is not None:
            self._screen.line(text, "yellow", whole=True)

    # -- the person ---------------------------------------------------------------------------------------------------

    def _ask(self, question: Question) -> None:
        with self._settling(question):
            terms = self._line.terms(question)
            if terms.refusal:
                self._line.cancel(Ending(f"{question.name} cannot be answered here: {terms.refusal}"))
                return
            decide = self._allow if isinstance(question, ApprovalRequested) else self._outcome
            reply = decide(question, terms)
            if reply is not None:
                self._line.reply(question, reply)

    def _allow(self, question: Question, terms: Terms) -> Reply | None:
        always = " / [a]lways in this conversation" if terms.remember else ""
        choices = ("yes", "no", "always") if terms.remember else ("yes", "no")
        choice = self._choice(question, f"allow? [y]es / [n]o{always}: ", choices)
        if choice is None or choice in "ya":
            return Reply("approve", remember=choice == "a") if choice else None
        return self._explained(question, "deny", terms)

    def _outcome(self, question: Question, terms: Terms) -> Reply | None:
        choice = self._choice(question, "what became of it? [r]etry / [d]one / [f]ailed: ", tuple(_OUTCOMES.values()))
        if choice is None or choice == "r":
            return Reply("retry") if choice else None
        return self._explained(question, _OUTCOMES[choice], terms)

    def _explained(self, question: Question, decision: Decision, terms: Terms) -> Reply | None:
        reason = self._typed(question, "why? (the model reads it; Enter for no reason): ") if terms.reason else ""
        return Reply(decision, reason=reason.strip()) if reason is not None else None

    def _choice(self, question: Question, prompt: str, choices: tuple[str, ...]) -> str | None:
        """The letter of one of the choices; None when there is nothing to choose any more."""
        # What was typed before the question was there does not answer it.
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        while (typed := self._typed(question, prompt)) is not None:
            word = typed.strip().lower()
            if word and any(word in (each, each[0]) for each in choices):
                return word[0]
            self._say(f"answer {' or '.join(choices)}")
        return None

    def _typed(self, question: Question, prompt: str) -> str | None:
        """A line that a person types; None when the question is settled without it, or the run has to end."""
        sys.stdout.write(prompt)
        sys.stdout.flush()
        typed = self._line.typed(sys.stdin.fileno(), lambda event: _settles(event, question))
        if typed:
            return typed
        sys.stdout.write("\n")
        if typed is not None:
            self._line.cancel(Ending("interrupted: the input has ended"))
        elif not self._line.ending:
            self._say(f"no answer about {question.name} is needed any more")
        return None


def _settles(event: Event | None, question: Question) -> bool:
    """Whether the event shows that nobody waits for the answer any more."""
    match event:
        case None | RunEnd():
            return True
        case ApprovalResolved(id=settled):
            return settled == question.id
        case ToolCompleted(call_id=call_id) | Output(call_id=call_id):
            return call_id == question.call_id
    return False


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
