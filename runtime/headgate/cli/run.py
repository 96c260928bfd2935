"""`headgate run`: one task for an agent, without anybody at the terminal; the exit code says how it ended."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
from pydantic_core import PydanticCustomError

from headgate.cli.attendant import Attendant, attended
from headgate.cli.client.line import connect
from headgate.cli.client.target import Target, targeted
from headgate.cli.form import FORMAT
from headgate.cli.render import words
from headgate.cli.render.answer import Answer
from headgate.cli.render.screen import Progress, lenient, write
from headgate.cli.render.scribe import Scribe
from headgate.core.errors import GatewayError
from headgate.core.events import Event, RunEnd
from headgate.core.messages import ErrorInfo
from headgate.core.scalars import seconds

EXIT_CODES: Mapping[str, int] = {"success": 0, "budget": 2, "max_turns": 3, "timeout": 124}
"""By outcome; every other outcome is 1."""
INTERRUPTED = 130
_ANSWERED = ("success", "budget", "max_turns")


def _duration(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    try:
        return seconds(value)
    except PydanticCustomError as error:
        raise click.BadParameter(error.message()) from None


@click.command()
@targeted
@click.argument("task")
@click.option("--timeout", callback=_duration, help="End the run after this long, such as 30s.")
@FORMAT
@attended
@click.pass_context
def run(context: click.Context, /, *, task: str, **options: Any) -> None:
    """Have AGENT do one TASK (- reads it from standard input) and print its answer.

    Exits with 0, or 1 after an error, 2 for the budget, 3 for the turns, 124 for the time, 130 when interrupted.
    """
    form = options.pop("form")
    how = _How(_task(task), options.pop("timeout"), options.pop("approve"), options.pop("elicit"), told=form == "json")
    target = Target(**options)
    lenient()
    answer, interrupted = _answered(target, how)
    if form == "json":
        write(sys.stdout, json.dumps(answer.report(), ensure_ascii=False))
    elif answer.outcome in _ANSWERED and answer.text:
        write(sys.stdout, answer.text)
    context.exit(INTERRUPTED if interrupted else EXIT_CODES.get(answer.outcome, 1))


def _task(task: str) -> str:
    text = sys.stdin.read() if task == "-" else task
    if not text.strip():
        raise click.UsageError("the task is empty")
    return text


@dataclass(frozen=True, slots=True)
class _How:
    """What is to be done: a refusal that is not `told` in a report is printed."""

    task: str
    timeout: float | None
    approve: str | None
    elicit: str
    told: bool


def _answered(target: Target, how: _How) -> tuple[Answer, bool]:
    """The answer, and whether a signal ended it."""
    answer = Answer(target.agent)
    scribe = Scribe(Progress()) if sys.stderr.isatty() else None
    try:
        with connect(target) as line:
            attendant = Attendant(line, scribe.screen if scribe else None, approve=how.approve, elicit=how.elicit)
            with contextlib.closing(line.ask(how.task, how.timeout)) as events:
                for event in events:
                    answer.add(event)
                    _progress(scribe, event)
                    attendant.take(event)
            return answer, line.interrupted and answer.outcome == "cancelled"
    except GatewayError as error:
        answer.error = ErrorInfo(error.code, words.failure(error))
        if not how.told:
            click.echo(f"headgate: {answer.error.message}", err=True)
        return answer, False


def _progress(scribe: Scribe | None, event: Event) -> None:
    """All of it for a person; for a log only why there is no answer."""
    if scribe is not None:
        scribe.tell(event)
    elif isinstance(event, RunEnd) and (why := words.ending(event)):
        click.echo(f"headgate: {why}", err=True)
