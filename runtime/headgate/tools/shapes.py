"""The shapes of a tool's manifest beside its tests: whether what they name is in any answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from headgate.core.kind import Finding, Key
from headgate.expressions.lint import absent
from headgate.expressions.shape import Shape


def check_shape(key: Key, shape: Shape | None, samples: Sequence[Any]) -> Iterable[Finding]:
    """HG1304, a warning, for every member that the shape at `key` names and that no sample has."""
    found = absent(shape, samples) if shape is not None and samples else []
    return [Finding(key, "HG1304", each.message, each.hint, each.offset, "warning") for each in found]


def as_json(bodies: Iterable[Any]) -> list[Any]:
    """The bodies as the values that a shape is given; texts that are not JSON are left out."""
    return [value for body in bodies for value in _decoded(body)]


def _decoded(body: Any) -> list[Any]:
    if not isinstance(body, str):
        return [] if body is None else [body]
    try:
        return [msgspec.json.decode(body)]
    except (ValueError, RecursionError):
        return []
