"""Listings of a server that come in pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

PAGES = 200
"""Pages of one listing that are read."""
Noun = Literal["tools", "prompts", "resources", "resource_templates"]
Raw = Mapping[str, Any]
"""One entry in the form of the wire."""


async def pages(page: Callable[[str | None], Awaitable[Any]], noun: Noun) -> list[Raw]:
    """All entries; `page` fetches the SDK's result for a cursor."""
    out: list[Raw] = []
    cursor: str | None = None
    for _ in range(PAGES):
        found = await page(cursor)
        out += [each.model_dump(by_alias=True, mode="json", exclude_none=True) for each in getattr(found, noun)]
        if not found.next_cursor or found.next_cursor == cursor:
            break
        cursor = found.next_cursor
    return out
