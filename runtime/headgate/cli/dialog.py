"""The dialog about one question of a run: what may be said to it, until a person has said it."""

from __future__ import annotations

import termios
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from headgate.cli.client.line import Line
from headgate.cli.client.port import Question as Asked
from headgate.cli.client.port import Reply, Terms
from headgate.cli.render import forms
from headgate.core.errors import Invalid
from headgate.core.events import (
    ApprovalRequested,
    ApprovalResolved,
    Event,
    InputRequested,
    InputResolved,
    RunEnd,
    ToolCompleted,
    ToolOutput,
)
from headgate.core.inputs import Question
from headgate.engine.run import Ending
from headgate.mcp.forms import fitting
from headgate.stores.waits import Decision

_OUTCOMES: Mapping[str, Decision] = {"r": "retry", "d": "done", "f": "failed"}


@dataclass(frozen=True, slots=True)
class Keyboard:
    """Where a person types, a terminal in its line mode, and where prompts are shown."""

    terminal: TextIO
    out: TextIO

    def forget(self) -> None:
        """Drops what was typed until now."""
        termios.tcflush(self.terminal.fileno(), termios.TCIFLUSH)

    def show(self, text: str) -> None:
        """Shows a prompt, or the end of its line."""
        self.out.write(text)
        self.out.flush()


class Dialog:
    """Asks about one question; `say` shows a line."""

    def __init__(self, line: Line, keyboard: Keyboard, question: Asked, say: Callable[[str], None]) -> None:
        self._line = line
        self._keyboard = keyboard
        self._question = question
        self._say = say

    def reply(self, terms: Terms) -> Reply | None:
        """What the person says; None when the question is settled without it, or the run is being ended."""
        # What was typed before the question was there does not answer it.
        self._keyboard.forget()
        if isinstance(self._question, ApprovalRequested):
            return self._allowed(terms)
        return self._entered(self._question) if self._question.kind == "input" else self._outcome(terms)

    def _allowed(self, terms: Terms) -> Reply | None:
        always = " / [a]lways in this conversation" if terms.remember else ""
        choices = ("yes", "no", "always") if terms.remember else ("yes", "no")
        match self._choice(f"allow? [y]es / [n]o{always}: ", choices):
            case None:
                return None
            case "n":
                return self._explained("deny", terms)
            case choice:
                return Reply("approve", remember=choice == "a")

    def _outcome(self, terms: Terms) -> Reply | None:
        match self._choice("what became of it? [r]etry / [d]one / [f]ailed: ", tuple(_OUTCOMES.values())):
            case None:
                return None
            case "r":
                return Reply("retry")
            case choice:
                return self._explained(_OUTCOMES[choice], terms)

    def _entered(self, asked: InputRequested) -> Reply | None:
        accept = "[a]nswer" if asked.url is None else "[a]ccept, once you have visited it"
        match self._choice(f"{accept} / [d]ecline / [c]ancel: ", ("accept", "answer", "decline", "cancel")):
            case None:
                return None
            case "a":
                return self._filled(asked)
            case choice:
                return Reply("decline" if choice == "d" else "cancel")

    def _filled(self, asked: InputRequested) -> Reply | None:
        """The form with its values, asked for again until they fit."""
        question = Question(asked.server or "", asked.name, asked.message, asked.schema, asked.url)
        while True:
            content: dict[str, Any] = {}
            for name, field in forms.fields(question):
                typed = self._typed(forms.prompt(name, field, question))
                if typed is None:
                    return None
                value = forms.value(typed.rstrip("\n"), field)
                if value is not None:
                    content[name] = value
            try:
                return Reply("accept", content=fitting(question, content))
            except Invalid as error:
                self._say(error.message)

    def _explained(self, decision: Decision, terms: Terms) -> Reply | None:
        reason = self._typed("why? (the model reads it; Enter for no reason): ") if terms.reason else ""
        return Reply(decision, reason=reason.strip()) if reason is not None else None

    def _choice(self, prompt: str, choices: tuple[str, ...]) -> str | None:
        """The letter of one of the choices."""
        while (typed := self._typed(prompt)) is not None:
            word = typed.strip().lower()
            if any(word in (each, each[0]) for each in choices):
                return word[0]
            self._say(f"answer {' or '.join(choices)}")
        return None

    def _typed(self, prompt: str) -> str | None:
        self._keyboard.show(prompt)
        typed = self._line.typed(self._keyboard.terminal.fileno(), self._settled)
        if typed:
            return typed
        self._keyboard.show("\n")
        if typed is not None:
            self._line.cancel(Ending("interrupted: the input has ended"))
        elif not self._line.ending:
            self._say(f"no answer about {self._question.name} is needed any more")
        return None

    def _settled(self, event: Event | None) -> bool:
        """Whether the event shows that nobody waits for the answer any more."""
        match event:
            case None | RunEnd():
                return True
            case ApprovalResolved(id=settled) | InputResolved(id=settled):
                return settled == self._question.id
            case ToolCompleted(call_id=call_id) | ToolOutput(call_id=call_id):
                return call_id == self._question.call_id
        return False
