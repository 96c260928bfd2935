"""What a person may say to a question, and what is made of it."""

from __future__ import annotations

import io
import os
import pty
from collections.abc import Callable, Iterator
from typing import TextIO, cast

import pytest

from headgate.cli.attendant import Attendant
from headgate.cli.client.line import Line
from headgate.cli.client.port import Question, Reply, Terms
from headgate.cli.dialog import Keyboard
from headgate.cli.render.screen import Plain
from headgate.core.errors import Conflict, Forbidden, GatewayError
from headgate.core.events import ApprovalRequested, Event, InputRequested
from headgate.engine.run import Ending

CUT_OFF = InputRequested(id="w", kind="unknown_outcome", call_id="c", name="pay", args={}, expires_at=9.0)
HELD = ApprovalRequested(id="w", call_id="c", name="pay", args={}, args_hash="", policy="money", expires_at=9.0)


class Scripted:
    """A line whose person types what is given, and whose run hears what is replied, or fails with `error`."""

    def __init__(self, *typed: str | None, terms: Terms | None = None, error: GatewayError | None = None) -> None:
        self._typed = list(typed)
        self._terms = terms or Terms()
        self._error = error
        self.replies: list[Reply] = []
        self.endings: list[str] = []

    @property
    def ending(self) -> bool:
        return bool(self.endings)

    def typed(self, _terminal: int, _over: Callable[[Event | None], bool]) -> str | None:
        return self._typed.pop(0)

    def terms(self, _question: Question) -> Terms:
        return self._terms

    def reply(self, _question: Question, reply: Reply) -> None:
        if self._error is not None:
            raise self._error
        self.replies.append(reply)

    def cancel(self, ending: Ending) -> None:
        self.endings.append(ending.reason)


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    """A terminal at which nobody types by themselves."""
    master, slave = pty.openpty()
    with os.fdopen(slave, encoding="utf-8") as stream:
        yield stream
    os.close(master)


def take(line: Scripted, terminal: TextIO, question: Question) -> str:
    """Has the question taken; all that was shown."""
    shown = io.StringIO()
    attendant = Attendant(cast("Line", line), Plain(shown, shown), approve=None, keyboard=Keyboard(terminal, shown))
    attendant.take(question)
    return shown.getvalue()


@pytest.mark.parametrize(
    ("typed", "reply"),
    [
        (("r\n",), Reply("retry")),
        (("Done\n", " it is there \n"), Reply("done", reason="it is there")),
        (("nothing\n", "f\n", "\n"), Reply("failed")),
    ],
)
def test_outcome(typed: tuple[str, ...], reply: Reply, terminal: TextIO) -> None:
    """Of a call that was cut off a person says that it is made again, was done, or failed, and why."""
    line = Scripted(*typed)
    assert "what became of it? [r]etry / [d]one / [f]ailed: " in take(line, terminal, CUT_OFF)
    assert line.replies == [reply]


def test_no_place_for_a_reason(terminal: TextIO) -> None:
    """Where a reason would not arrive, none is asked for."""
    line = Scripted("n\n", terms=Terms(reason=False))
    assert "why?" not in take(line, terminal, HELD)
    assert line.replies == [Reply("deny")]


def test_settled_while_the_reason_is_typed(terminal: TextIO) -> None:
    """A question that is settled before the reason is there has no answer of this person."""
    line = Scripted("n\n", None)
    assert "no answer about pay is needed any more\n" in take(line, terminal, HELD)
    assert line.replies == []


@pytest.mark.parametrize(
    ("error", "said", "ended"),
    [
        (Conflict("it is approved already"), "no answer is needed any more: it is approved already\n", False),
        (Forbidden("only boss may answer"), "only boss may answer; somebody else has to answer\n", False),
        (GatewayError("the server is gone"), "", True),
    ],
)
def test_refused(error: GatewayError, said: str, ended: bool, terminal: TextIO) -> None:
    """An answer that comes too late or is another's to give is told; one that cannot be given ends the run."""
    line = Scripted("y\n", error=error)
    assert said in take(line, terminal, HELD)
    assert line.ending is ended


def test_nothing_is_asked_of_a_run_that_ends(terminal: TextIO) -> None:
    """Once the run is being ended, its other questions are not asked."""
    line = Scripted("")
    take(line, terminal, HELD)
    assert line.endings == ["interrupted: the input has ended"]
    assert take(line, terminal, HELD) == ""


FORM = InputRequested(
    id="w", kind="input", call_id="c", name="desk__pay", args={}, expires_at=9.0, server="desk", message="Who?",
    schema={
        "type": "object", "required": ["name"], "additionalProperties": False,
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "ok": {"type": "boolean", "default": True},
            "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
        },
    },
)  # fmt: skip
VISIT = InputRequested(
    id="w", kind="input", call_id="c", name="desk__pay", args={}, expires_at=9.0, url="https://pay.example.com"
)


@pytest.mark.parametrize(
    ("question", "typed", "reply"),
    [
        (FORM, ["d\n"], Reply("decline")),
        (FORM, ["cancel\n"], Reply("cancel")),
        (FORM, ["a\n", "Ada\n", "36\n", "no\n", "a, b\n"],
         Reply("accept", content={"name": "Ada", "age": 36, "ok": False, "tags": ["a", "b"]})),
        (FORM, ["answer\n", "Ada\n", "\n", "\n", "\n"], Reply("accept", content={"name": "Ada", "ok": True})),
        (FORM, ["a\n", "Ada\n", "old\n", "\n", "\n", "Ada\n", "1\n", "\n", "\n"],
         Reply("accept", content={"name": "Ada", "age": 1, "ok": True})),
        (VISIT, ["a\n"], Reply("accept")),
    ],
)  # fmt: skip
def test_what_a_server_asks(terminal: TextIO, question: InputRequested, typed: list[str], reply: Reply) -> None:
    """A form is filled in field by field, until it fits; an address is accepted without values."""
    line = Scripted(*typed)
    take(line, terminal, question)
    assert line.replies == [reply]


def test_a_server_that_asks_when_nobody_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    """It is told no, and a notice says so; with `wait` somebody else may answer."""
    lines = Scripted(), Scripted()
    Attendant(cast("Line", lines[0]), None, approve=None).take(FORM)
    Attendant(cast("Line", lines[1]), None, approve=None, elicit="wait").take(FORM)
    assert [each.replies for each in lines] == [[Reply("decline")], []]
    assert "nobody is here: it is declined" in capsys.readouterr().err
