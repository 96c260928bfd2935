"""What the commands of the desk and of the office share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from headgate.cli.client.site import Site
from headgate.cli.desk import Desk, open_desk
from headgate.cli.office import Office, open_office

T = TypeVar("T")
P = TypeVar("P")


def at_desk(site: Site, work: Callable[[Desk], Awaitable[T]]) -> T:
    """Has questions answered on the server or in the tree that the options name."""
    return _at(site, open_desk, work)


def at_office(site: Site, work: Callable[[Office], Awaitable[T]]) -> T:
    """Has the work of the office done there."""
    return _at(site, open_office, work)


def _at(
    site: Site, opener: Callable[[Site, str], AbstractAsyncContextManager[P]], work: Callable[[P], Awaitable[T]]
) -> T:
    api_key = site.api_key() if site.url is not None else ""
    site.warn()

    async def done() -> T:
        async with opener(site, api_key) as place:
            return await work(place)

    return asyncio.run(done())
