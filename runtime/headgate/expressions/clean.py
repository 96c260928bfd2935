"""Turns Python values into what the CEL engine can hold, within limits on size and depth."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from headgate.expressions.cel_types import fractional, integral, member
from headgate.expressions.values import NotJsonError, TooLargeError

MAX_CONTEXT = 256 << 10
"""Bytes of all values that one activation holds, about as JSON."""
MAX_DEPTH = 64
"""Levels of nesting; far more would overrun the engine's stack."""

_UNFIT = re.compile(r"[\0\ud800-\udfff]")
_INT64 = 1 << 63


class Cleaner:
    """Converts the values of one activation; `left` is how many bytes more it may hold.

    Text loses NUL and lone surrogates to U+FFFD, since the engine would cut it there and a rule would judge less than
    the tool gets. Integers beyond 64 bits become floating point, which compares rightly. With a schema, whole numbers
    take the type that the schema has declared.
    """

    def __init__(self, left: int = MAX_CONTEXT) -> None:
        self.left = left

    def clean(self, value: Any, schema: Any = None, depth: int = 0) -> Any:
        """The value for the engine; raises `NotJsonError` or `TooLargeError`."""
        kind = type(value)
        if kind is str:
            return self._text(value)
        if value is None or kind is bool:
            self.left -= 4
            return value
        if kind is int or kind is float:
            self.left -= 8
            plain = schema is None and (-_INT64 <= value < _INT64 if kind is int else math.isfinite(value))
            return value if plain else _number(value, schema)
        if self.left < 0:
            raise TooLargeError(f"larger than {MAX_CONTEXT >> 10} KiB")
        return self._other(value, schema, depth)

    def whole(self, value: Any, schema: Any = None) -> Any:
        """As `clean`, and sure that the whole of it is within the limit."""
        cleaned = self.clean(value, schema)
        if self.left < 0:
            raise TooLargeError(f"larger than {MAX_CONTEXT >> 10} KiB")
        return cleaned

    def _other(self, value: Any, schema: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int | float | Decimal):
            return _number(value, schema)
        if isinstance(value, bytes | bytearray):
            return self._text(base64.b64encode(value).decode())
        if depth >= MAX_DEPTH:
            raise TooLargeError(f"nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, Mapping):
            return self._members(value, schema, depth + 1)
        if isinstance(value, list | tuple | set | frozenset):
            self.left -= 2 + len(value)
            inner = member(schema, 0)
            return [self.clean(each, inner, depth + 1) for each in value]
        raise NotJsonError(f"a value of type {type(value).__name__} is not a JSON value")

    def _members(self, value: Mapping[Any, Any], schema: Any, depth: int) -> dict[str, Any]:
        self.left -= 2 + 2 * len(value)
        if schema is None:
            return {self._text(_key(key)): self.clean(each, None, depth) for key, each in value.items()}
        pairs = ((_key(key), each) for key, each in value.items())
        return {self._text(key): self.clean(each, member(schema, key), depth) for key, each in pairs}

    def _text(self, value: str) -> str:
        if value.isascii():
            self.left -= 2 + len(value)
            return str(value) if "\0" not in value else value.replace("\0", "\ufffd")
        self.left -= 2 + len(value.encode("utf-8", "surrogatepass"))
        return _UNFIT.sub("\ufffd", value)


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, int | float):
        return str(key)
    raise NotJsonError("an object with keys that are not text is not a JSON value")


def _number(value: int | float | Decimal, schema: Any) -> int | float:
    if not isinstance(value, int):
        number = float(value)
        if math.isnan(number):
            raise NotJsonError("a number that is not a number is not a JSON value")
        return int(number) if integral(schema) and number.is_integer() and abs(number) < _INT64 else number
    if -_INT64 <= value < _INT64 and not fractional(schema):
        return int(value)
    try:
        return float(value)
    except OverflowError:
        return -math.inf if value < 0 else math.inf
