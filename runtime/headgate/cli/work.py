"""What the commands of the office share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from headgate.cli.client.site import Site
from headgate.cli.office import Office, open_office

T = TypeVar("T")
FORMAT = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="What is printed.")


def at_office(site: Site, work: Callable[[Office], Awaitable[T]]) -> T:
    """Has the work done on the server or in the tree that the options name."""
    api_key = site.api_key() if site.url is not None else ""
    site.warn()

    async def done() -> T:
        async with open_office(site, api_key) as office:
            return await work(office)

    return asyncio.run(done())
