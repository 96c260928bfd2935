"""Where the commands work: on a tree, or on a server, and as whom."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from headgate.compile.checks.gateway import is_loopback
from headgate.core.errors import ConfigError

C = TypeVar("C", bound=Callable[..., Any])
KEY_VARIABLE = "HEADGATE_API_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the options say: with `url` a server, else a tree."""

    tree: Path | None = None
    key: str | None = None
    url: str | None = None
    api_key_env: str | None = None

    def __post_init__(self) -> None:
        if self.url is None and self.api_key_env is not None:
            raise click.UsageError("--api-key-env belongs to --url; a tree takes --key")
        if self.url is not None and (self.tree is not None or self.key is not None):
            raise click.UsageError("--url talks to a server, --tree and --key to a tree: give one or the other")

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


def sited(command: C) -> C:
    """Adds the options of a site to a command, which hands them on as `Site(**options)`."""
    for option in reversed(OPTIONS):
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


_FOLDER = click.Path(file_okay=False, path_type=Path)
OPTIONS = (
    click.option("--tree", type=_FOLDER, help="The tree; by default this folder."),
    click.option("--key", help="Act as this key of [auth.keys]; by default as the operator of this machine."),
    click.option("--url", callback=_check_url, help="Talk to this server instead, such as http://127.0.0.1:8000."),
    click.option("--api-key-env", help=f"The variable that holds the API key for --url; {KEY_VARIABLE} by default."),
)
