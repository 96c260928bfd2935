"""How values are written, in words: what findings say instead of a regular expression or a library's phrase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.compile.serving import HOST, ORIGIN, URL
from headgate.core.scalars import DURATION, NAME, NAME_HINT, PATIENCE, SIZE, SOMETHING

_FORMS = {
    NAME: NAME_HINT,
    DURATION: "write it like 250ms, 30s, 10m",
    PATIENCE: "write it like 250ms, 30s, 10m",
    SIZE: "write it like 512KiB, 20MiB",
    SOMETHING: "write it like 512KiB, 20MiB",
    HOST: "write a host name or an address alone, such as gateway.example.com or 10.0.0.7",
    URL: "write it like https://agents.example.com",
    ORIGIN: "write scheme and host in lower case and nothing behind them, such as https://chat.example.com",
    r"^https?://[^\s/]+": "write it like https://api.example.com",
    r"\.ya?ml$": "name a .yaml or .yml file",
    r"^[^\x00-\x08\x0a-\x1f\x7f]*$": "keep it on one line, without control characters",
    r"^[\t\x20-\x7e]*$": "keep it on one line, in ASCII, without control characters",
    r"^[^\x00]*$": "leave the character NUL out, which ends what programs are given",
    r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$": "the name of a header has letters, digits and !#$%&'*+.^_`|~- alone",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "use letters, digits and '_', beginning with a letter or '_'",
}
"""What the patterns of the specs ask for."""

_BOUNDS = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "is not valid",
}
"""What Pydantic says of values that it could read, by its type of error."""


def form(pattern: str, examples: tuple[Any, ...] = ()) -> str:
    """How a text that must match `pattern` is written; empty when there is no pattern and no example."""
    if pattern in _FORMS:
        return _FORMS[pattern]
    if examples:
        return f"write it like {', '.join(map(str, examples))}"
    return f"it must match {pattern}" if pattern else ""


def bound(kind: str, context: Mapping[str, Any]) -> str:
    """What a value must be, by the type and the context of Pydantic's error; empty for other types."""
    return _BOUNDS.get(kind, "").format_map(context)
