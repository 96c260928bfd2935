"""`headgate explain`: what a key is now and why, or what a code of a finding means."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from headgate.cli.form import FORMAT, print_as
from headgate.compile.compiler import Compiler
from headgate.compile.explain import Explained, explain
from headgate.core.errors import NotFound
from headgate.kinds import DEFAULT_KINDS
from headgate.manifest.diagnostics import CODES, suggest
from headgate.manifest.examples import load_examples

_CODE = re.compile(r"HG\d+", re.IGNORECASE)
_RELOAD = {
    "hot": "hot: an edit takes effect with the next revision",
    "subsystem": "subsystem: an edit opens every object anew that depends on it",
    "restart": "restart: an edit takes effect when the process starts again",
}
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command("explain")
@click.argument("path")
@click.option("--tree", type=_FOLDER, default=".", help="The tree; by default this folder.")
@FORMAT
@click.option("--no-environment", is_flag=True, help="Do not look at environment variables and secret files.")
def explain_command(path: str, tree: Path, form: str, *, no_environment: bool) -> None:
    """Explain PATH: a key, such as agents.assistant.tools or server.port, or a code, such as HG1003."""
    if _CODE.fullmatch(path):
        told, text = _code(path.upper())
    else:
        compiled = Compiler(tree, DEFAULT_KINDS, dict(os.environ), skip_environment=no_environment).compile()
        found = explain(compiled, path)
        told, text = asdict(found), _key(found)
        if not compiled.ok:
            click.echo("the tree has errors; see headgate validate", err=True)
    print_as(form, told, text)


def _key(found: Explained) -> str:
    view = found.value is None and bool(found.contributions)
    origin = str(found.place) if found.place else {"default": "the default"}.get(found.origin, found.origin)
    rows = [
        ("from", "what follows" if view else origin),
        ("written", found.written),
        ("meaning", " ".join(found.description.split())),
    ]
    if found.default is not None and found.origin == "written":
        rows.append(("default", _short(found.default)))
    rows += [("layer", f"{each.layer} ({each.place}): {each.says}") for each in found.contributions]
    rows += [("reload", _RELOAD[found.reload]), *(("note", each) for each in found.notes)]
    value = "" if found.origin == "not set" else f" = {_short(found.value)}"
    return "\n".join([f"{found.path}{value}", *(f"  {name:<8} {text}" for name, text in rows if text)])


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _code(code: str) -> tuple[dict[str, Any], str]:
    if code not in CODES:
        guess = suggest(code, CODES)
        raise NotFound(f"there is no code {code}; {f'did you mean {guess}?' if guess else 'see docs/diagnostics.md'}")
    example = load_examples().get(code)
    told: dict[str, Any] = {"code": code, "meaning": CODES[code]}
    if example is None:
        return told, f"{code}: {CODES[code]}"
    told |= {"mend": example.mend, "example": example.files}
    files = [f"Example, in {path}:\n\n{_indented(text)}" for path, text in example.files.items()]
    return told, "\n\n".join([f"{code}: {CODES[code]}\n{example.mend}", *files])


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.rstrip().splitlines())
