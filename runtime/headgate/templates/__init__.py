"""Trees to begin with: what `headgate init` writes, beside the schemas and the wiring of editors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from headgate.core.scalars import NAME

SUMMARIES = {
    "minimal": "one agent, no tools",
    "operations": "an assistant that looks after its own gateway, with http and function tools",
    "support": "a service desk that looks customers up, with context, profiles and mocked tests",
}
"""What each template is, by its name."""

_NAMED = 'name = "template"'
_SETTINGS: dict[str, Any] = {
    "yaml.schemas": {"./schemas/tool.schema.json": ["tools/*.yaml", "tools/*.yml"]},
    "evenBetterToml.schema.associations": {
        "^.*gateway\\.toml$": "./schemas/gateway.schema.json",
        "^.*gateway\\.d/.*\\.toml$": "./schemas/layer.schema.json",
    },
}
_EXTENSIONS = {"recommendations": ["redhat.vscode-yaml", "tamasfe.even-better-toml"]}


def tree(template: str, called: str) -> dict[str, str]:
    """The files of a template by posix path, for a gateway that is `called` this if it can be the name of one."""
    found = dict(_files(files("headgate.templates").joinpath(template), ""))
    if re.fullmatch(NAME, called):
        found["gateway.toml"] = found["gateway.toml"].replace(_NAMED, f'name = "{called}"')
    return found | {".gitignore": ".headgate/\n", **editors()}


def editors() -> dict[str, str]:
    """Settings of Visual Studio Code: which schema belongs to which files, and what reads them."""
    shown = {".vscode/settings.json": _SETTINGS, ".vscode/extensions.json": _EXTENSIONS}
    return {path: json.dumps(value, indent=2) + "\n" for path, value in shown.items()}


def _files(folder: Traversable, base: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _files(entry, f"{base}{entry.name}/")
        else:
            yield f"{base}{entry.name}", entry.read_text(encoding="utf-8")
