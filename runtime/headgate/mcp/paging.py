"""Listings of a server that come in pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

PAGES = 200
"""Pages of one listing that are read."""
Noun = Literal["tools", "prompts", "resources", "resource_templates"]
Raw = Mapping[str, Any]
"""One entry in the form of the wire."""


def unsaid(_problem: str) -> None:
    """Nobody hears."""


async def pages(
    page: Callable[[str | None], Awaitable[Any]], noun: Noun, say: Callable[[str], None] = unsaid
) -> list[Raw]:
    """All entries; `page` fetches the SDK's result for a cursor. `say` is told of a list that does not end."""
    out: list[Raw] = []
    cursor: str | None = None
    seen = {cursor}
    for _ in range(PAGES):
        found = await page(cursor)
        out += [each.model_dump(by_alias=True, mode="json", exclude_none=True) for each in getattr(found, noun)]
        cursor = found.next_cursor or None
        if cursor in seen:
            return out
        seen.add(cursor)
    say(f"its list of {noun} does not end: the first {PAGES} pages count")
    return out
