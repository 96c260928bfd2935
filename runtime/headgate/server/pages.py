"""Lists in pages: `?limit=&cursor=` asks for one, `{"items", "next"}` is one."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec
from litestar.params import QueryParameter

from headgate.core.errors import Invalid
from headgate.stores.records import Cursor

T = TypeVar("T")
_CURSOR = msgspec.json.Decoder(tuple[float, str])


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is asked for: at most `limit` items, those behind `after`."""

    limit: int
    after: Cursor | None

    @property
    def fetched(self) -> int:
        """One more than the page holds, which tells whether there is another."""
        return self.limit + 1

    def page(self, found: Sequence[T], key: Callable[[T], Cursor], shown: Callable[[T], Any]) -> dict[str, Any]:
        """The page of what was fetched; `key` gives the cursor that stands behind an item."""
        items = found[: self.limit]
        following = write_cursor(key(items[-1])) if len(found) > self.limit else None
        return {"items": [shown(each) for each in items], "next": following}

    def slice(self, found: Sequence[T], shown: Callable[[int, T], Any]) -> dict[str, Any]:
        """The page of a list that is whole already; `shown` is given an item's place in it."""
        start = int(self.after[0]) if self.after else 0
        end = start + self.limit
        items = [shown(place, each) for place, each in enumerate(found[start:end], start)]
        return {"items": items, "next": write_cursor((end, "")) if end < len(found) else None}


def paging(
    limit: Annotated[int, QueryParameter(ge=1, le=200, description="Items on the page, at most.")] = 50,
    cursor: Annotated[str | None, QueryParameter(description="`next` of the page before.")] = None,
) -> Paging:
    """The page that a request asks for; raises `Invalid` for a cursor that this gateway did not make."""
    return Paging(limit, None if cursor is None else read_cursor(cursor))


def write_cursor(place: Cursor) -> str:
    """A place in a list as text that says nothing to clients."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_cursor(text: str) -> Cursor:
    """The place that a cursor stands for; raises `Invalid`."""
    try:
        at, identity = _CURSOR.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error):
        raise Invalid("the cursor is not one of this gateway", code="invalid_cursor") from None
    if not 0 <= at < 1e12:
        raise Invalid("the cursor is not one of this gateway", code="invalid_cursor")
    return at, identity
