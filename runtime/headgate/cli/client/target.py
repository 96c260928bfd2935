"""Which agent to talk to, where, and as whom: the options that `chat` and `run` share."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from headgate.compile.checks.gateway import is_loopback
from headgate.core.errors import ConfigError

C = TypeVar("C", bound=Callable[..., Any])
KEY_VARIABLE = "HEADGATE_API_KEY"


@dataclass(frozen=True, slots=True)
class Target:
    """What the options say. With `url` the agent runs on that server, else in this process, from `tree`."""

    agent: str
    tree: Path | None = None
    key: str | None = None
    url: str | None = None
    api_key_env: str | None = None
    model: str | None = None
    channel: str | None = None
    profile: str | None = None
    input: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.url is None and self.api_key_env is not None:
            raise click.UsageError("--api-key-env belongs to --url; a tree takes --key")
        if self.url is not None and (self.tree is not None or self.key is not None):
            raise click.UsageError("--url talks to a server, --tree and --key to a tree: give one or the other")

    @property
    def context(self) -> dict[str, Any]:
        """What shapes the run, as the chat API takes it."""
        given = {"channel": self.channel, "profile": self.profile, "input": self.input}
        return {name: value for name, value in given.items() if value}

    def api_key(self) -> str:
        """The key for the server: from the environment, or asked for on a terminal; raises `ConfigError`."""
        name = self.api_key_env or KEY_VARIABLE
        held = os.environ.get(name, "").strip()
        if held:
            return held
        if not sys.stdin.isatty():
            raise ConfigError(f"{name} is not set", hint="put the API key there, or name another variable")
        asked: str = click.prompt(f"API key ({name} is not set)", hide_input=True, err=True)
        return asked.strip()

    def warn(self) -> None:
        """Says so when the key would travel where others can read it."""
        parts = urlsplit(self.url or "")
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            click.echo("headgate: warning: the API key travels unencrypted; use https://", err=True)


def targeted(command: C) -> C:
    """Adds the argument and the options of a target to a command, which hands them on as `Target(**options)`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _check_url(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise click.BadParameter(f"it is not a URL: {error}") from None
    if not usable:
        raise click.BadParameter("write http://HOST:PORT or https://HOST")
    if parts.username is not None or parts.query or parts.fragment:
        raise click.BadParameter("it must not hold credentials, a query or a fragment")
    return value.rstrip("/")


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


_FOLDER = click.Path(file_okay=False, path_type=Path)
_OPTIONS = (
    click.argument("agent"),
    click.option("--tree", type=_FOLDER, help="The tree to run the agent from; by default this folder."),
    click.option("--key", help="Act as this key of [auth.keys]; by default as the operator of this machine."),
    click.option("--url", callback=_check_url, help="Talk to this server instead, such as http://127.0.0.1:8000."),
    click.option("--api-key-env", help=f"The variable that holds the API key for --url; {KEY_VARIABLE} by default."),
    click.option("--model", help="A model of the agent, other than its first."),
    click.option("--channel", callback=_lower, help="The channel that shapes the agent."),
    click.option("--profile", callback=_lower, help="The profile that shapes the agent."),
    click.option("--input", callback=_read_input, help="The agent's input: a JSON object, or @FILE."),
)
