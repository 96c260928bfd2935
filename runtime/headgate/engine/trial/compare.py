"""Deep equality of JSON values, and the first place where two of them differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headgate.core.kind import Key
from headgate.engine.trial.verdict import Failure, shown


class _Absent:
    """What is not there; no JSON value equals it."""


_ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two values differ: the path, and the nearest place of it in the expected value, `key`."""

    path: Key
    key: Key
    expected: str
    actual: str


def differ(expected: Any, actual: Any, path: Key = ()) -> Difference | None:
    """The first difference, or None; a number equals any number of the same value, but `true` is not 1."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return _differ_tables(expected, actual, path)
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        return _differ_lists(expected, actual, path)
    if _same(expected, actual):
        return None
    key = path[:-1] if expected is _ABSENT else path
    return Difference(path, key, _named(expected), _named(actual))


def _same(expected: Any, actual: Any) -> bool:
    return isinstance(expected, bool) == isinstance(actual, bool) and bool(expected == actual)


def _differ_tables(expected: dict[str, Any], actual: dict[str, Any], path: Key) -> Difference | None:
    names = [*expected, *(name for name in actual if name not in expected)]
    pairs = ((name, expected.get(name, _ABSENT), actual.get(name, _ABSENT)) for name in names)
    return next((found for name, a, b in pairs if (found := differ(a, b, (*path, name)))), None)


def _differ_lists(expected: Any, actual: Any, path: Key) -> Difference | None:
    for index in range(max(len(expected), len(actual))):
        a = expected[index] if index < len(expected) else _ABSENT
        b = actual[index] if index < len(actual) else _ABSENT
        found = differ(a, b, (*path, index))
        if found is not None:
            return found
    return None


def _named(value: Any) -> str:
    return "nothing" if value is _ABSENT else shown(value)


def judge(what: str, expected: Any, actual: Any, key: Key) -> Failure | None:
    """The failure when the values, of which the expected one stands at `key`, are not equal."""
    found = differ(expected, actual)
    if found is None:
        return None
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found.path)
    place = f" at {where.removeprefix('.')}" if where else ""
    return Failure((*key, *found.key), f"{what}{place}", found.expected, found.actual)
