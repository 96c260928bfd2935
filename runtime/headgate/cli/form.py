"""In which form commands print: for people, or as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click


def formatted(*forms: str, help: str = "What is printed.") -> Callable[[click.decorators.FC], click.decorators.FC]:
    """Adds the option `--format`, which the command gets as `form`; the first of the forms is the default."""
    return click.option("--format", "form", type=click.Choice(forms), default=forms[0], help=help)


FORMAT = formatted("text", "json")


def as_json(told: Any) -> str:
    """JSON to be read by people, too."""
    return json.dumps(told, indent=2, ensure_ascii=False)


def print_as(form: str, told: Any, text: str) -> None:
    """Prints `told` as JSON, or the text."""
    click.echo(as_json(told) if form == "json" else text)
