"""`headgate chat`: a conversation with an agent, on a terminal or line by line through a pipe."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

from headgate.cli.attendant import Attendant, attended
from headgate.cli.client.line import Line, connect
from headgate.cli.client.signals import handled, ignore
from headgate.cli.client.target import Target, targeted
from headgate.cli.dialog import Keyboard
from headgate.cli.render import words
from headgate.cli.render.answer import Answer
from headgate.cli.render.screen import Plain, Screen, Terminal, lenient
from headgate.cli.render.scribe import Scribe
from headgate.core.errors import GatewayError

try:
    import readline
except ImportError:  # builds of Python without it have plain input
    readline = None  # type: ignore[assignment]

_COMMAND = re.compile(r"/[a-z]+")
_HELP = """\
/reset  begin a new conversation      /quit  leave (or Ctrl-D)      /help  this text
Ctrl-C stops the answer, also at a question. A line that ends in \\ goes on in the next.
Text of several lines can be pasted."""


@click.command()
@targeted
@click.option("--show-thinking", is_flag=True, help="Show what the model thinks, dimmed.")
@attended
@click.pass_context
def chat(context: click.Context, /, *, show_thinking: bool, approve: str | None, elicit: str, **options: Any) -> None:
    """Talk with AGENT: every line is a turn; /help lists the commands."""
    target = Target(**options)
    lenient()
    person = sys.stdin.isatty() and sys.stdout.isatty()
    screen: Screen = Terminal() if person else Plain()
    with connect(target) as line:
        attendant = Attendant(
            line, screen, approve=approve, elicit=elicit,
            keyboard=Keyboard(sys.stdin, sys.stdout) if person else None,
        )  # fmt: skip
        talk = Talk(line, Scribe(screen, thinking=show_thinking), attendant)
        if person:
            _greet(screen, line, target)
            with handled(ignore, signal.SIGINT):
                talk.take_all(_typed())
        else:
            talk.take_all(_piped())
    context.exit(0 if person or talk.fine else 1)


def _greet(screen: Screen, line: Line, target: Target) -> None:
    client = line.client
    model = f" ({client.model})" if client.model else ""
    place = target.url or target.tree or "this folder"
    screen.line(f"{client.agent}{model} at {place}. /help lists the commands.", "dim")
    if client.demo:
        screen.line("No model provider is configured: the answers come from a script.", "yellow")


class Talk:
    """The turns of one conversation; `fine` says whether all of them had an answer."""

    def __init__(self, line: Line, scribe: Scribe, attendant: Attendant) -> None:
        self._line = line
        self._scribe = scribe
        self._attendant = attendant
        self._screen = scribe.screen
        self.fine = True

    def take_all(self, texts: Iterable[str]) -> None:
        """Takes one after the other, until one of them ends the conversation."""
        for text in texts:
            if not self.take(text):
                break

    def take(self, text: str) -> bool:
        """Obeys a command or asks the agent; whether the conversation goes on."""
        if not text.strip():
            return True
        if _COMMAND.fullmatch(text.strip()):
            return self._obey(text.strip())
        try:
            self._note(self._line.refresh())
            self._ask(text)
        except GatewayError as error:
            self.fine = False
            self._screen.settle()
            self._screen.line(words.failure(error, coded=True), "bold red", whole=True)
        return True

    def _obey(self, command: str) -> bool:
        match command:
            case "/quit" | "/exit":
                return False
            case "/reset":
                try:
                    self._line.reset()
                    self._note("a new conversation")
                except GatewayError as error:
                    self._screen.line(words.failure(error, coded=True), "bold red", whole=True)
            case "/help":
                self._note(_HELP)
            case _:
                self._note(f"there is no command {command}; /help lists them")
        return True

    def _ask(self, text: str) -> None:
        answer = Answer(self._line.client.agent)
        with contextlib.closing(self._line.ask(text)) as events:
            for event in events:
                answer.add(event)
                self._scribe.tell(event)
                self._attendant.take(event)
        self._line.answered(answer.said)
        self.fine = self.fine and answer.outcome == "success"

    def _note(self, text: str) -> None:
        if text:
            self._screen.line(text, "dim", whole=True)


def _piped() -> Iterator[str]:
    """One turn a line."""
    for line in sys.stdin:
        yield line.rstrip("\n")


def _typed() -> Iterator[str]:
    """What a person types, until Ctrl-D; Ctrl-C at the prompt forgets what was typed."""
    if readline is not None:
        # Without it every line of a pasted text would be a turn (GNU readline 8.1 has it on by default).
        readline.parse_and_bind("set enable-bracketed-paste on")
    while True:
        try:
            with handled(signal.default_int_handler, signal.SIGINT):
                text = _entry()
            yield text
        except KeyboardInterrupt:
            sys.stdout.write("\n")
        except EOFError:
            sys.stdout.write("\n")
            return


def _entry() -> str:
    text = input("> ")
    while text.endswith("\\"):
        text = f"{text[:-1]}\n{input('. ')}"
    return text
