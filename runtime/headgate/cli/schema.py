"""`headgate schema`: the JSON Schemas of all manifests, for editors and for CI."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from headgate.cli.form import FORMAT
from headgate.compile.schema import render, schemas, write
from headgate.kinds import DEFAULT_KINDS

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("name", required=False, type=click.Choice(["gateway", "layer", "agent", "tool"]))
@click.option(
    "--write", "folder", type=_FOLDER, is_flag=False, flag_value="schemas", help="Write all schemas to a folder."
)
@click.option(
    "--check", type=_FOLDER, is_flag=False, flag_value="schemas", help="Exit 1 when a folder's schemas are stale."
)
@FORMAT
@click.pass_context
def schema(context: click.Context, name: str | None, folder: Path | None, check: Path | None, form: str) -> None:
    """Print the schema NAME, write all of them, or check that written ones are fresh."""
    if sum(each is not None for each in (name, folder, check)) != 1:
        raise click.UsageError("give one of NAME, --write and --check")
    if name is not None:
        click.echo(render(schemas(DEFAULT_KINDS)[f"{name}.schema.json"]), nl=False)
    elif folder is not None:
        changed = write(folder, DEFAULT_KINDS)
        _tell(form, "written", changed, "\n".join(f"wrote {path}" for path in changed) or "nothing changed")
    elif check is not None:
        stale = _stale(check)
        text = "\n".join(f"{path} is stale; run headgate schema --write" for path in stale)
        _tell(form, "stale", stale, text or "fresh")
        context.exit(1 if stale else 0)


def _tell(form: str, member: str, paths: Iterable[Path], text: str) -> None:
    click.echo(json.dumps({member: [str(path) for path in paths]}) if form == "json" else text)


def _stale(folder: Path) -> list[Path]:
    texts = {folder / name: render(each) for name, each in schemas(DEFAULT_KINDS).items()}
    return [path for path, text in texts.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
