"""`headgate keys`: API keys, on a server or in a tree that nobody serves."""

from __future__ import annotations

from typing import Any

import click

from headgate.cli.client.site import Site, sited
from headgate.cli.form import FORMAT, as_json
from headgate.cli.office import View
from headgate.cli.render.words import visible
from headgate.cli.work import at_office
from headgate.core.apikeys import digest_of, new_key

_NAME = click.argument("name")


@click.group()
def keys() -> None:
    """Make, list, change and revoke API keys."""


@keys.command("list")
@sited
@FORMAT
def list_keys(form: str, **options: Any) -> None:
    """List all keys: those of the tree and those that were made while it ran."""
    found = at_office(Site(**options), lambda office: office.keys())
    if form == "json":
        click.echo(as_json(found))
    else:
        click.echo(visible("\n".join(map(_line, found))) or "there are no keys")


@keys.command()
@_NAME
@click.option("--team", help="The team that it belongs to.")
@click.option("--scope", "scopes", multiple=True, help="What it may do; chat alone when none is given. Repeatable.")
@click.option("--agent", "agents", multiple=True, help="An agent, or a glob; all when none is given. Repeatable.")
@click.option("--tool", "tools", multiple=True, help="A tool, or a glob; all when none is given. Repeatable.")
@click.option("--profile", help="The agents' profile that applies to it.")
@click.option("--expires-at", metavar="TIME", help="When it stops working, such as 2027-01-31T12:00:00Z.")
@click.option("--description", help="What it is for, or who has it.")
@sited
@FORMAT
def create(name: str, form: str, **options: Any) -> None:
    """Make the key NAME and print its secret, which is shown this once."""
    members = ("team", "scopes", "agents", "tools", "profile", "expires_at", "description")
    given = {member: options.pop(member) for member in members}
    said = {member: list(value) if isinstance(value, tuple) else value for member, value in given.items() if value}
    _made(at_office(Site(**options), lambda office: office.create({"name": name, **said})), form)


@keys.command()
@_NAME
@click.option("--overlap", type=click.IntRange(0, 30 * 86_400), default=0, help="Seconds that the old one still works.")
@sited
@FORMAT
def rotate(name: str, form: str, *, overlap: int, **options: Any) -> None:
    """Give the key NAME another secret and print it."""
    _made(at_office(Site(**options), lambda office: office.rotate(name, overlap)), form)


@keys.command()
@_NAME
@sited
def revoke(name: str, **options: Any) -> None:
    """Take the key NAME away: it opens nothing any more, and its runs end."""
    at_office(Site(**options), lambda office: office.revoke(name))
    click.echo(f"key {name} is revoked")


@keys.command()
def new() -> None:
    """Print a fresh secret and its hash, for `key_hash` in [auth.keys.NAME]; nothing is kept."""
    secret = new_key()
    click.echo(f'key       {secret}\nkey_hash  "sha256:{digest_of(secret)}"')


def _made(view: View, form: str) -> None:
    if form == "json":
        click.echo(as_json(view))
        return
    click.echo(view["key"])
    click.echo(f"the secret of key {view['name']}; it is not shown again", err=True)


def _line(view: View) -> str:
    marks = [
        f"team {view['team']}", *view["scopes"],
        *([f"agents {', '.join(view['agents'])}"] if view["agents"] != ["*"] else []),
        *([f"tools {', '.join(view['tools'])}"] if view["tools"] != ["*"] else []),
        *([f"profile {view['profile']}"] if view["profile"] else []),
        *([f"expired {view['expires_at']}" if view["expired"] else f"until {view['expires_at']}"]
          if view["expires_at"] else []),
        *([f"old secret until {view['previous_until']}"] if view["previous_until"] else []),
    ]  # fmt: skip
    source = "the tree" if view["source"] == "tree" else f"made by {view['created_by']}"
    said = f"\n    {view['description']}" if view["description"] else ""
    return f"{view['name']}  ({source})\n    {'; '.join(marks)}{said}"
