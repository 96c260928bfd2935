"""What counts as a JSON value, and how large one is."""

from __future__ import annotations

import math
from typing import Any

Trail = tuple["Trail", str | int] | None
"""The way to a value as a linked list, which costs nothing until it is written out."""


class NotJsonError(ValueError):
    """A value that JSON cannot express; the message names its type and where it stands."""


class TooLargeError(ValueError):
    """A value whose JSON would be larger than was allowed."""


def json_size(value: Any, limit: int) -> int:
    """The approximate bytes of a value's JSON; raises `NotJsonError`, or `TooLargeError` as soon as `limit` is passed.

    Values that are shared by reference count as often as they would be written, and the walk ends at the limit, so
    that a small structure which unfolds exponentially costs nothing.
    """
    size = 0
    stack: list[tuple[Any, Trail]] = [(value, None)]
    while stack:
        item, trail = stack.pop()
        size += _own_size(item, trail)
        if size > limit:
            raise TooLargeError(f"larger than {limit} bytes")
        if isinstance(item, dict):
            stack.extend((each, (trail, name)) for name, each in item.items())
        elif isinstance(item, list):
            stack.extend((each, (trail, index)) for index, each in enumerate(item))
    return size


def _own_size(item: Any, trail: Trail) -> int:
    if item is None or isinstance(item, bool):
        return 4
    if isinstance(item, str):
        return _text_size(item)
    if isinstance(item, int):
        return item.bit_length() // 3 + 1
    if isinstance(item, float) and math.isfinite(item):
        return 8
    if isinstance(item, list):
        return 2 + len(item)
    if isinstance(item, dict) and all(isinstance(name, str) for name in item):
        return 2 + sum(_text_size(name) + 2 for name in item)
    place = _place(trail)
    where = f" at {place}" if place else ""
    raise NotJsonError(f"{_describe(item)} is not a JSON value{where}")


def _place(trail: Trail) -> str:
    steps: list[str] = []
    while trail is not None:
        trail, step = trail
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step}")
    return "".join(reversed(steps)).lstrip(".")


def _text_size(text: str) -> int:
    return 2 + (len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass")))


def _describe(item: Any) -> str:
    if isinstance(item, float):
        return "a number that is not finite"
    if isinstance(item, dict):
        return "an object with keys that are not text"
    return f"a value of type {type(item).__name__}"
