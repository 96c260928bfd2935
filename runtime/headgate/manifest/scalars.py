"""What a plain YAML scalar means under the 1.2 core schema, and which numbers manifests may hold."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple


class Unfit(NamedTuple):
    """Why a scalar is no value of a manifest, and how to mend it."""

    message: str
    hint: str


# YAML 1.2.2 §10.3.2, the core schema.
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"(?P<decimal>[-+]?[0-9]+)|0o(?P<octal>[0-7]+)|0x(?P<hexadecimal>[0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_BASES = {"decimal": 10, "octal": 8, "hexadecimal": 16}
_LONGEST = 64  # characters; Python refuses to read far longer ones, none of which fits 64 bits


def resolve(text: str) -> Any:
    """The null, boolean, number or string that an unquoted scalar stands for, or why it is unfit."""
    if text in _WORDS:
        return _WORDS[text]
    match = _INTEGER.fullmatch(text)
    if match is not None and match.lastgroup is not None:
        digits = match[match.lastgroup]
        return number(int(digits, _BASES[match.lastgroup]) if len(digits) <= _LONGEST else math.inf)
    if _NOT_FINITE.fullmatch(text):
        return number(math.inf)
    return number(float(text)) if _FLOAT.fullmatch(text) else text


def number(value: int | float) -> int | float | Unfit:
    """The number, if JSON readers can hold it: finite, and an integer only within 64 bits."""
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return Unfit("JSON has no such number", "write a smaller, finite number, or quote it")
    if -(1 << 63) <= value < 1 << 63:
        return value
    return Unfit("the integer does not fit 64 bits", "write a smaller one, or quote it")
