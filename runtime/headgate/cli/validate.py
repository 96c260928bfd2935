"""`headgate validate`: every finding in a tree, without opening anything but the secret back-ends that it names."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from headgate import __version__
from headgate.cli.form import as_json, formatted
from headgate.compile.keyring import compile_tree
from headgate.kinds import DEFAULT_KINDS
from headgate.manifest.diagnostics import Diagnostic, render_json, render_text
from headgate.manifest.reports import render_github, render_sarif


@click.command()
@click.argument("tree", type=click.Path(file_okay=False, path_type=Path), default=".")
@formatted("text", "json", "sarif", "github", help="How findings are written.")
@click.option("--deny-warnings", is_flag=True, help="Exit 1 for warnings, too.")
@click.option(
    "--no-environment", is_flag=True, help="Do not look at environment variables, secret files and back-ends."
)
@click.pass_context
def validate(context: click.Context, tree: Path, form: str, *, deny_warnings: bool, no_environment: bool) -> None:
    """Check the manifests of TREE: exit 0 when there is no error, 1 when there is one."""
    compiled = asyncio.run(compile_tree(tree, DEFAULT_KINDS, dict(os.environ), skip_environment=no_environment))
    found, base = compiled.shown, _base(tree)
    if form == "json":
        click.echo(as_json(render_json(compiled.revision, found)))
    elif form == "sarif":
        log = render_sarif(compiled.revision, found, version=__version__, base=base)
        click.echo(as_json(log))
    else:
        if found:
            click.echo(render_github(found, base) if form == "github" else render_text(found))
        click.echo(_summary(found, len(compiled.draft.tree.files)), err=True)
    context.exit(0 if compiled.ok and not (deny_warnings and found) else 1)


def _base(tree: Path) -> str:
    """The tree's path from the working directory, which machines take for the root of the repository."""
    real, here = tree.resolve(), Path.cwd()
    return real.relative_to(here).as_posix() if real.is_relative_to(here) else ""


def _summary(found: tuple[Diagnostic, ...], files: int) -> str:
    errors = sum(1 for each in found if each.severity == "error")
    return ", ".join(map(_count, (files, errors, len(found) - errors), ("file", "error", "warning")))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
