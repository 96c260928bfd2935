"""The scalar grammars that all manifests share: durations, sizes, names.

A value that does not fit raises `PydanticCustomError` with a sentence that says what would; the compiler gives it a
position and a stable code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

NAME = r"^[a-z0-9](?:[a-z0-9-]|_(?!_)){0,63}$"
"""The name of an object: also its file name. `__` is kept for `{server}__{tool}`."""

NAME_HINT = "use lower-case letters, digits, '-' and single '_', beginning with a letter or digit, at most 64"
"""The same in words."""

DURATION = r"^\d+(\.\d+)?(ms|s|m|h|d)$"
SIZE = r"^\d+(B|KiB|MiB|GiB)?$"
"""The patterns of durations and sizes in JSON Schema."""
PATIENCE = rf"^(?!0+(\.0+)?[a-z]){DURATION[1:]}"
"""The pattern of durations that are not zero."""
WINDOW = rf"^calendar_(day|month)$|{PATIENCE}"
"""The pattern of those that may also be a day or month of the calendar."""
SOMETHING = rf"^(?!0+([BKMG]|$)){SIZE[1:]}"
"""The pattern of sizes that are not zero."""
SIZES = (SIZE, SOMETHING)
"""Both patterns of sizes."""
DURATIONS = (DURATION, PATIENCE, WINDOW)
"""All patterns of durations."""

RATE = r"^[1-9]\d{0,8}/(s|min|h|d)$"
"""The pattern of rates in JSON Schema."""

_RATE = re.compile(r"(\d{1,9})/(s|min|h|d)")
_PERIODS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+)(B|KiB|MiB|GiB)?")
_BYTES = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def seconds(value: Any) -> float:
    """The seconds of a duration such as `250ms`, `30s`, `10m`, `2h` or `7d`."""
    if isinstance(value, float):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError(
            "duration", "{value} is not a duration; write 250ms, 30s, 10m, 2h or 7d", _shown(value)
        )
    return float(match[1]) * _SECONDS[match[2]]


def octets(value: Any) -> int:
    """The bytes of a size such as `512KiB` or `20MiB`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("size", "{value} is not a size; write 512KiB, 20MiB or 1GiB", _shown(value))
    return int(match[1]) * _BYTES[match[2]]


def duration_text(value: float) -> str:
    """Seconds as a manifest writes them, in the largest unit that has no fraction."""
    for unit in ("d", "h", "m", "s"):
        if value >= _SECONDS[unit] and value % _SECONDS[unit] == 0:
            return f"{int(value / _SECONDS[unit])}{unit}"
    return f"{round(value * 1000)}ms"


def size_text(value: int) -> str:
    """Bytes as a manifest writes them, in the largest unit that has no fraction."""
    for unit in ("GiB", "MiB", "KiB"):
        if value >= _BYTES[unit] and value % _BYTES[unit] == 0:
            return f"{value // _BYTES[unit]}{unit}"
    return f"{value}B"


@dataclass(frozen=True, slots=True)
class RateValue:
    """So many of something in so many seconds."""

    count: int
    seconds: float
    text: str = ""

    def __str__(self) -> str:
        return self.text


def rate(value: Any) -> RateValue:
    """The rate of a text such as `60/min`."""
    if isinstance(value, RateValue):
        return value
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not int(match[1]):
        raise PydanticCustomError("rate", "{value} is not a rate; write 10/s, 60/min, 500/h or 1000/d", _shown(value))
    return RateValue(int(match[1]), _PERIODS[match[2]], str(value))


def _shown(value: Any) -> dict[str, str]:
    return {"value": repr(value)}


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"type": "string", "pattern": DURATION, "examples": ["250ms", "30s", "10m"]}),
]
"""Seconds; written as a duration."""

Patience = Annotated[
    float,
    BeforeValidator(seconds),
    Field(gt=0),
    WithJsonSchema({"type": "string", "pattern": PATIENCE, "examples": ["250ms", "30s", "10m"]}),
]
"""Seconds, more than none: a time limit of nothing would end everything at once."""

Size = Annotated[
    int,
    BeforeValidator(octets),
    WithJsonSchema({"type": "string", "pattern": SIZE, "examples": ["512KiB", "20MiB"]}),
]
"""Bytes; written as a size."""

SomeSize = Annotated[
    int,
    BeforeValidator(octets),
    Field(gt=0),
    WithJsonSchema({"type": "string", "pattern": SOMETHING, "examples": ["512KiB", "20MiB"]}),
]
"""Bytes, more than none: a limit of nothing would refuse everything."""

Rate = Annotated[
    RateValue,
    PlainValidator(rate),
    WithJsonSchema({"type": "string", "pattern": RATE, "examples": ["60/min"]}),
]
"""So many in so much time; written as a rate."""

Name = Annotated[str, Field(pattern=NAME)]
"""The name of a manifest object."""

Secret = Annotated[str, Field(json_schema_extra={"x-secret": True})]
"""A value that is never shown; a literal one in a manifest is a warning."""


class Interpolated(str):
    """A scalar whose `${...}` references were resolved.

    `literal` holds the (start, end) character ranges that came from a reference: they are data, and whoever parses
    the scalar further (templates, expressions) must not find syntax in them.
    """

    __slots__ = ("literal",)
    literal: tuple[tuple[int, int], ...]

    def __new__(cls, text: str, literal: tuple[tuple[int, int], ...] = ()) -> Interpolated:
        self = super().__new__(cls, text)
        self.literal = literal
        return self
