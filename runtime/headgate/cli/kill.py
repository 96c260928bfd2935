"""`headgate kill`: stops an agent, a key, a team, a tool, a server of tools, or everything."""

from __future__ import annotations

from typing import Any

import click

from headgate.cli.client.site import Site, sited
from headgate.cli.form import FORMAT, as_json
from headgate.cli.office import View
from headgate.cli.render.words import visible
from headgate.cli.work import at_office
from headgate.compile.switches import TARGETS


@click.group()
def kill() -> None:
    """Stop something at once, and let it go on again."""


@kill.command()
@click.argument("kind", type=click.Choice(TARGETS))
@click.argument("target", required=False)
@click.option("--reason", required=True, help="Why; those who are stopped read it.")
@click.option("--name", help="What the switch is called; one is made up without it.")
@sited
@FORMAT
def on(kind: str, target: str | None, form: str, *, reason: str, name: str | None, **options: Any) -> None:
    """Stop the TARGET, a name or a glob: its runs end as revoked, and it begins nothing new. `gateway` needs none."""
    said = {"kind": kind, "reason": reason} | ({"target": target} if target else {}) | ({"name": name} if name else {})
    view = at_office(Site(**options), lambda office: office.kill(said))
    if form == "json":
        click.echo(as_json(view))
        return
    ended = f"; {view['ended']} runs in progress end" if "ended" in view else ""
    click.echo(visible(f"{_what(view)} is stopped by {view['name']}{ended}"))


@kill.command()
@click.argument("name")
@sited
def off(name: str, **options: Any) -> None:
    """Take the switch NAME off: new runs may begin again; what was ended stays ended."""
    at_office(Site(**options), lambda office: office.revive(name))
    click.echo(f"{name} is off")


@kill.command("list")
@sited
@FORMAT
def list_kills(form: str, **options: Any) -> None:
    """List what is stopped."""
    found = at_office(Site(**options), lambda office: office.kills())
    if form == "json":
        click.echo(as_json(found))
    else:
        click.echo(visible("\n".join(map(_line, found))) or "nothing is stopped")


def _line(view: View) -> str:
    who = "the tree" if view["source"] == "tree" else f"by {view['by']}"
    return f"{view['name']}  {_what(view)} ({who})\n    {view['reason']}"


def _what(view: View) -> str:
    return "the gateway" if view["kind"] == "gateway" else f"{view['kind']} {view['target']}"
