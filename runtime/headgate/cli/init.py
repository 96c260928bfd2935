"""`headgate init`: a tree to begin with, which validates, passes its tests and can be served."""

from __future__ import annotations

import json
from pathlib import Path

import click

from headgate.cli.form import FORMAT
from headgate.compile.schema import render, schemas
from headgate.core.errors import ConfigError
from headgate.kinds import DEFAULT_KINDS
from headgate.templates import SUMMARIES, tree


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--template", type=click.Choice(list(SUMMARIES)), default="minimal", help="What to begin with.")
@FORMAT
@click.pass_context
def init(context: click.Context, folder: Path, template: str, form: str) -> None:
    """Write a tree to DIR, with schemas and editor settings. Nothing that is there is overwritten.

    Templates: minimal (one agent, no tools), operations (an assistant that looks after its own gateway) and support
    (a service desk that looks customers up).
    """
    files = tree(template, folder.resolve().name.lower())
    files |= {f"schemas/{name}": render(schema) for name, schema in schemas(DEFAULT_KINDS).items()}
    taken = [path for path in sorted(files) if _is_taken(folder, path)]
    if not taken:
        _write(folder, files)
    if form == "json":
        click.echo(json.dumps({"folder": str(folder), "written": [] if taken else sorted(files), "taken": taken}))
    if taken:
        shown = "\n".join(f"  {path}" for path in taken)
        click.echo(f"nothing was written, because these are there already:\n{shown}", err=True)
        context.exit(1)
    if form == "text":
        click.echo(_next(folder, files))


def _is_taken(folder: Path, path: str) -> bool:
    """Whether something stands where the file, or a folder on the way to it, should be."""
    target = folder / path
    above = [each for each in target.parents if folder in each.parents]
    return target.exists() or target.is_symlink() or any(each.exists() and not each.is_dir() for each in above)


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename}: {error.strerror}", hint="choose another DIR") from None


def _next(folder: Path, files: dict[str, str]) -> str:
    agent = Path(next(path for path in sorted(files) if path.startswith("agents/"))).stem
    steps = [
        *([] if folder.resolve() == Path.cwd() else [(f"cd {folder}", "")]),
        ("headgate validate", "say what is wrong, if anything is"),
        ("headgate test", "run the tests that stand in the manifests"),
        (f"headgate chat {agent}", "talk to the agent, without a server"),
        ("headgate serve", "serve it on http://127.0.0.1:8000; edits take effect while it runs"),
    ]
    width = max(len(command) for command, _ in steps)
    lines = [f"  {command:<{width}}  {meaning}".rstrip() for command, meaning in steps]
    model = "Set ANTHROPIC_API_KEY or OPENAI_API_KEY for a real model; without one, demo.script.yaml answers."
    return "\n".join([f"wrote {len(files)} files to {folder}", "", "Next:", *lines, "", model])
