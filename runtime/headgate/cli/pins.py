"""`headgate pins`: tools of MCP servers that are not as they were approved, at a running gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import click
import msgspec

from headgate.cli.client.http import Http, open_http
from headgate.cli.client.site import KEY_VARIABLE, Site
from headgate.cli.form import FORMAT
from headgate.cli.render.words import visible

_PATH = "/v1/admin/pins"
_URL = click.option(
    "--url", default="http://127.0.0.1:8000", show_default=True, help="The gateway, which compares what servers list."
)
_KEY = click.option("--api-key-env", help=f"The variable that holds the API key; {KEY_VARIABLE} by default.")


@click.group()
def pins() -> None:
    """Look at and approve tools of MCP servers that changed after they were approved."""


@pins.command("list")
@_URL
@_KEY
@FORMAT
def list_command(form: str, **options: Any) -> None:
    """List the servers with pins; exit code 1 when one has tools that are not as approved."""
    found = _ask(options, lambda http, key: http.json("GET", _PATH, key))["items"]
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        for each in found:
            tools = [f"{visible(tool['tool'])} ({tool['state']})" for tool in each["tools"] if _waits(tool)]
            click.echo(f"{each['server']}: {each['mode']}, {', '.join(tools) or 'as approved'}")
    click.get_current_context().exit(1 if any(each["held"] for each in found) else 0)


@pins.command("diff")
@_URL
@_KEY
@click.argument("server")
def diff_command(server: str, **options: Any) -> None:
    """Print what is other than approved, and the digest to approve it with."""
    found = _ask(options, lambda http, key: http.json("GET", f"{_PATH}/{quote(server, safe='')}", key))
    for tool in found["tools"]:
        if _waits(tool):
            click.echo(f"# {visible(tool['tool'])}: {tool['state']}, {'offered' if tool['offered'] else 'held'}")
            click.echo(tool["diff"])
    click.echo(f"# digest {found['digest']}")


@pins.command("approve")
@_URL
@_KEY
@click.argument("server")
@click.option("--digest", required=True, help="What `headgate pins diff` printed: the set of tools you looked at.")
def approve_command(server: str, digest: str, **options: Any) -> None:
    """Approve all that the server lists now, if it is still the set of the digest."""
    path = f"{_PATH}/{quote(server, safe='')}/approve"
    found = _ask(options, lambda http, key: http.json("POST", path, key, json={"digest": digest}))
    click.echo(f"{found['server']}: {len(found['tools'])} tools are approved")


def _waits(tool: dict[str, Any]) -> bool:
    return tool["state"] in ("changed", "new")


def _ask(options: dict[str, Any], asked: Callable[[Http, str], Any]) -> Any:
    site = Site(url=options["url"], api_key_env=options["api_key_env"])
    site.warn()
    key = site.api_key()

    async def answer() -> Any:
        async with open_http(options["url"]) as http:
            return await asked(http, key)

    return asyncio.run(answer())
