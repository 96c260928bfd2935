"""`headgate mcp`: one's own accounts at MCP servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import click

from headgate.cli.client.site import Site, sited
from headgate.cli.counter import Counter, View, open_counter
from headgate.cli.form import FORMAT, print_as
from headgate.cli.render.words import visible

_EVERY = 1.0
"""Seconds between two looks at whether somebody has come back."""


@click.group()
def mcp() -> None:
    """Let agents use your own accounts at MCP servers."""


@mcp.command("authorize")
@sited
@click.argument("server")
def authorize_command(server: str, **options: Any) -> None:
    """Print a link for your browser, and wait until you have granted access to SERVER.

    Exits with 1 when the time of the link is over.
    """

    async def work(counter: Counter) -> View | None:
        before, asked = await counter.look(server), await counter.ask(server)
        click.echo("Open this in a browser, and grant access there:", err=True)
        click.echo(asked["url"])
        while time.time() < asked["expires_at"]:
            await asyncio.sleep(_EVERY)
            now = await counter.look(server)
            if now["state"] == "granted" and now["id"] != before["id"]:
                return now
        return None

    found = _at(Site(**options), work)
    if found is None:
        click.echo("headgate: nobody has granted access in time; begin anew", err=True)
        click.get_current_context().exit(1)
    click.echo(_told(found), err=True)


@mcp.command("status")
@sited
@FORMAT
@click.argument("server")
def status_command(server: str, form: str, **options: Any) -> None:
    """Say what you have granted at SERVER; exit code 1 when that is nothing."""
    found = _at(Site(**options), lambda counter: counter.look(server))
    print_as(form, found, _told(found))
    click.get_current_context().exit(0 if found["state"] == "granted" else 1)


@mcp.command("revoke")
@sited
@click.argument("server")
def revoke_command(server: str, **options: Any) -> None:
    """Take back what you have granted at SERVER."""
    found = _at(Site(**options), lambda counter: counter.leave(server))
    if not found["revoked"]:
        click.echo(f"{visible(server)}: nothing was granted")
        return
    where = "here and at the authorization server" if found["at_server"] else "here"
    click.echo(f"{visible(server)}: what was granted is forgotten {where}")


def _told(found: View) -> str:
    if found["state"] != "granted":
        return f"{visible(found['server'])}: nothing is granted by {visible(found['key'])}"
    scopes = f", scopes: {visible(' '.join(found['scopes']))}" if found["scopes"] else ""
    return f"{visible(found['server'])}: granted by {visible(found['key'])}{scopes}"


def _at(site: Site, work: Callable[[Counter], Awaitable[Any]]) -> Any:
    api_key = site.api_key() if site.url is not None else ""
    site.warn()

    async def done() -> Any:
        async with open_counter(site, api_key) as counter:
            return await work(counter)

    return asyncio.run(done())
