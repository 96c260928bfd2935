"""Reads golden cases: a tree in one text file, and below it the findings that it must give.

A case has sections that begin with `=== NAME`. A name with a dot or a slash is a file of the tree; `gateway.toml` and
`agents/helper.md` are those of the smallest tree that works unless the case has its own, or leaves one out with
`=== without NAME`. `=== environment` holds `NAME=value` lines, `=== options` flags (`no-environment`, `crlf`), and
`=== diagnostics` the findings as `headgate validate` prints them.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path

from headgate.compile.compiler import Compiled
from headgate.compile.keyring import compile_tree
from headgate.core.kind import Kinds
from headgate.interceptors import INTERCEPTORS
from headgate.mcp.kind import KIND as SERVER
from headgate.providers import PROVIDERS
from headgate.secrets import SECRETS
from headgate.tools import TOOLS

FOLDER = Path(__file__).parent
KINDS = Kinds(
    {name: PROVIDERS[name] for name in ("anthropic", "scripted", "auto")},
    {name: TOOLS[name] for name in ("http", "function")},
    SECRETS,
    {name: INTERCEPTORS[name] for name in ("audit", "cache", "rate_limit", "redact")},
    SERVER,
)
"""Few kinds, so that a new one changes no golden."""
_SECTION = re.compile(r"^=== (.+)\n", re.MULTILINE)
SMALLEST = {
    "gateway.toml": (
        'version = 1\n[auth.keys.me]\nkey = "${env:KEY:-a-key-of-the-tests}"\n'
        '[providers.default]\nkind = "scripted"\nturns = [{text = "Hello."}]\n'
    ),
    "agents/helper.md": "---\ndescription: Helps.\n---\nYou help.\n",
}


@dataclass(slots=True)
class Case:
    """One golden case."""

    name: str
    files: dict[str, str] = field(default_factory=lambda: dict(SMALLEST))
    environ: dict[str, str] = field(default_factory=dict)
    options: frozenset[str] = frozenset()
    expected: str = ""

    def write(self, root: Path) -> Path:
        """Writes the tree below `root`."""
        for path, text in self.files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((text.replace("\n", "\r\n") if "crlf" in self.options else text).encode())
        return root

    def compile(self, root: Path) -> Compiled:
        """Writes and compiles the tree."""
        skip = "no-environment" in self.options
        return asyncio.run(compile_tree(self.write(root), KINDS, self.environ, skip_environment=skip))


def cases() -> list[Case]:
    """Every case, by name."""
    return [load(path) for path in sorted(FOLDER.glob("*.golden"))]


def load(path: Path) -> Case:
    """The case in a file."""
    case = Case(path.stem)
    _, *parts = _SECTION.split(path.read_text(encoding="utf-8"))
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        _add(case, name.strip(), text)
    return case


def _add(case: Case, name: str, text: str) -> None:
    if name == "environment":
        case.environ = dict(line.split("=", 1) for line in text.split())
    elif name == "options":
        case.options = frozenset(text.split())
    elif name == "diagnostics":
        case.expected = text.strip()
    elif name.startswith("without "):
        del case.files[name.removeprefix("without ")]
    else:
        case.files[name] = text
