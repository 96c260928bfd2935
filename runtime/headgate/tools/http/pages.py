"""Lists that come in pages: follows them and puts their items together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx2

from headgate.core.errors import ToolError
from headgate.expressions.shape import Shape
from headgate.expressions.template import as_text
from headgate.tools.http.draft import Draft
from headgate.tools.http.sender import Answer
from headgate.tools.http.spec import Paginate

Fetch = Callable[[Draft], Awaitable[tuple[Any, Answer]]]
_MAX_SHAPED = 1 << 30


@dataclass(frozen=True, slots=True)
class Listing:
    """The items of all pages that were read; `more` says that there were further ones."""

    items: list[Any]
    pages: int
    more: bool


async def collect(paginate: Paginate, first: Draft, fetch: Fetch) -> Listing:
    """Reads pages from `first` on; raises `ToolError("invalid_result")` when they do not lead on as they should."""
    draft: Draft | None = _begin(paginate, first)
    items: list[Any] = []
    seen: set[str] = set()
    for count in range(1, paginate.max_pages + 1):
        assert draft is not None
        if str(draft.url) in seen:
            raise ToolError("invalid_result", "a page names itself, or an earlier one, as the next page")
        seen.add(str(draft.url))
        value, answer = await fetch(draft)
        found = _items(paginate, value)
        items.extend(found)
        draft = _next(paginate, draft, value, answer, len(found), count)
        if draft is None:
            return Listing(items, count, more=False)
    return Listing(items, paginate.max_pages, more=True)


def _begin(paginate: Paginate, first: Draft) -> Draft:
    if paginate.page is None:
        return first
    return first.with_query({paginate.page: str(_start(paginate))})


def _start(paginate: Paginate) -> int:
    return 1 if paginate.start is None else paginate.start


def _items(paginate: Paginate, value: Any) -> list[Any]:
    found = value if paginate.items is None else _shaped(paginate.items, value)
    if found is None:
        return []
    if not isinstance(found, list):
        raise ToolError("invalid_result", "the items of a page are not a list")
    return found


def _next(paginate: Paginate, draft: Draft, value: Any, answer: Answer, found: int, count: int) -> Draft | None:
    if paginate.page is not None:
        return draft.with_query({paginate.page: str(_start(paginate) + count)}) if found else None
    if paginate.cursor is not None and paginate.param is not None:
        cursor = _shaped(paginate.cursor, value)
        return None if cursor in (None, "", False) else draft.with_query({paginate.param: as_text(cursor)})
    target = answer.next_link if paginate.next is None else _shaped(paginate.next, value)
    return _follow(draft, answer, target) if target else None


def _shaped(shape: Shape, value: Any) -> Any:
    # The answer itself is bounded by max_bytes.
    return shape.apply(value, _MAX_SHAPED)


def _follow(draft: Draft, answer: Answer, target: Any) -> Draft:
    """The draft of the next page; it stays at its origin, since it carries the credentials."""
    if not isinstance(target, str):
        raise ToolError("invalid_result", "the next page's URL is not text")
    try:
        url = answer.url.join(target)
    except httpx2.InvalidURL as error:
        raise ToolError("invalid_result", "the next page's URL cannot be read") from error
    if url.origin != draft.url.origin:
        raise ToolError("invalid_result", "the next page is at another host")
    return replace(draft, url=url)
