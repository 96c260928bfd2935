"""`headgate validate`: every finding in a tree, without opening anything."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from headgate.compile.compiler import Compiler
from headgate.kinds import DEFAULT_KINDS
from headgate.manifest.diagnostics import Diagnostic, render_json, render_text


@click.command()
@click.argument("tree", type=click.Path(file_okay=False, path_type=Path), default=".")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How findings are written.")
@click.option("--no-environment", is_flag=True, help="Do not look at environment variables and secret files.")
@click.pass_context
def validate(context: click.Context, tree: Path, form: str, no_environment: bool) -> None:  # noqa: FBT001
    """Check the manifests of TREE: exit 0 when there is no error, 1 when there is one."""
    compiled = Compiler(tree, DEFAULT_KINDS, dict(os.environ), skip_environment=no_environment).compile()
    if form == "json":
        click.echo(json.dumps(render_json(compiled.revision, compiled.diagnostics), indent=2, ensure_ascii=False))
    else:
        if compiled.diagnostics:
            click.echo(render_text(compiled.diagnostics))
        click.echo(_summary(compiled.diagnostics, len(compiled.draft.tree.files)), err=True)
    context.exit(0 if compiled.ok else 1)


def _summary(found: tuple[Diagnostic, ...], files: int) -> str:
    errors = sum(1 for each in found if each.severity == "error")
    return f"{files} files, {errors} errors, {len(found) - errors} warnings"
