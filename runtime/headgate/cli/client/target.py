"""Which agent to talk to, where, and as whom: the options that `chat` and `run` share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from headgate.cli.client.site import OPTIONS, Site

C = TypeVar("C", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Target(Site):
    """What the options say. With `url` the agent runs on that server, else in this process, from `tree`."""

    agent: str
    model: str | None = None
    channel: str | None = None
    profile: str | None = None
    input: dict[str, Any] = field(default_factory=dict)

    @property
    def context(self) -> dict[str, Any]:
        """What shapes the run, as the chat API takes it."""
        given = {"channel": self.channel, "profile": self.profile, "input": self.input}
        return {name: value for name, value in given.items() if value}


def targeted(command: C) -> C:
    """Adds the argument and the options of a target to a command, which hands them on as `Target(**options)`."""
    for option in reversed((click.argument("agent"), *OPTIONS, *_SHAPES)):
        command = option(command)
    return command


def _read_input(_context: click.Context, _parameter: click.Parameter, value: str | None) -> dict[str, Any]:
    if value is None:
        return {}
    try:
        read = json.loads(Path(value[1:]).read_text(encoding="utf-8") if value.startswith("@") else value)
    except OSError as error:
        raise click.BadParameter(f"{value[1:]} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.BadParameter(f"{value[1:]} is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"it is not JSON: {error}") from None
    if not isinstance(read, dict):
        raise click.BadParameter('it must be a JSON object, such as {"ticket": "T-1"}')
    return read


def _lower(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    return (value or "").strip().lower() or None


_SHAPES = (
    click.option("--model", help="A model of the agent, other than its first."),
    click.option("--channel", callback=_lower, help="The channel that shapes the agent."),
    click.option("--profile", callback=_lower, help="The profile that shapes the agent."),
    click.option("--input", callback=_read_input, help="The agent's input: a JSON object, or @FILE."),
)
