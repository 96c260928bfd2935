"""`headgate test`: the inline tests of a tree, without a server, a model or a network."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import click

from headgate.cli.form import as_json, formatted
from headgate.cli.render import report
from headgate.compile.keyring import compile_tree
from headgate.core.errors import ConfigError
from headgate.engine.trial.suite import Suite
from headgate.engine.trial.verdict import Verdict
from headgate.kinds import DEFAULT_KINDS
from headgate.logs import configure
from headgate.manifest.diagnostics import Diagnostic, render_json, render_text, suggest

_SORTS = ("agent", "tool")


@click.command()
@click.argument("tree", type=click.Path(file_okay=False, path_type=Path), default=".")
@click.option("--only", metavar="PATH", help="Only these: agent or tool, then /NAME, then /TEST.")
@formatted("text", "json", "junit")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write a JUnit report to a file, too.")
@click.option("--no-environment", is_flag=True, help="Do not look at environment variables and secret files.")
@click.pass_context
def test(context: click.Context, /, tree: Path, no_environment: bool, **options: Any) -> None:  # noqa: FBT001
    """Run the inline tests of TREE: exit 0 when all pass, 1 when one fails or the tree has errors."""
    # What a test says is in its verdict; the log would say it again.
    output = configure("critical")
    environ = {} if no_environment else dict(os.environ)
    compiled = asyncio.run(compile_tree(tree, DEFAULT_KINDS, environ, skip_environment=no_environment))
    if not compiled.ok:
        _refuse(options["form"], compiled.revision, compiled.shown)
        context.exit(1)
    suite = Suite.of(compiled.draft, environ)
    output.scrub = suite.scrub
    verdicts = _run(_chosen(suite, options["only"]), told=options["form"] == "text")
    if options["form"] == "json":
        click.echo(as_json(report.as_json(compiled.revision, verdicts)))
    elif options["form"] == "junit":
        click.echo(report.as_junit(verdicts))
    if options["junit"] is not None:
        _write(options["junit"], report.as_junit(verdicts))
    context.exit(1 if any(each.state == "failed" for each in verdicts) else 0)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def _refuse(form: str, revision: str, found: tuple[Diagnostic, ...]) -> None:
    """Prints why nothing is run."""
    if form == "json":
        click.echo(as_json(render_json(revision, found)))
    else:
        click.echo(render_text(found), err=form == "junit")
    click.echo("no test was run: the tree has errors", err=True)


def _chosen(suite: Suite, only: str | None) -> Suite:
    if only is None:
        return suite
    path = only.split("/", 2)
    chosen = suite.only(path)
    if path[0] not in _SORTS or not chosen.cases:
        known = dict.fromkeys("/".join(case.path[:size]) for case in suite.cases for size in (1, 2, 3))
        guess = suggest(only, known)
        hint = f"did you mean {guess!r}?" if guess else f"there are: {', '.join(known) or 'none'}"
        raise click.UsageError(f"no test is at {only!r}; {hint}")
    return chosen


def _run(suite: Suite, *, told: bool) -> list[Verdict]:
    verdicts = asyncio.run(suite.run(_tell if told else lambda _verdict: None))
    if told:
        click.echo(report.summary(verdicts))
    return verdicts


def _tell(verdict: Verdict) -> None:
    click.echo(report.as_text(verdict))
