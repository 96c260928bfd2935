"""The comparison of JSON values."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.engine.trial.compare import differ, judge
from headgate.engine.trial.verdict import cut, shown

SAME: list[tuple[Any, Any]] = [
    (1, 1.0), (None, None), ([], ()), ({"a": 1, "b": [1, {"c": None}]}, {"b": [1, {"c": None}], "a": 1}),
]  # fmt: skip
OTHER: list[tuple[Any, Any, tuple[Any, ...], str, str]] = [
    (True, 1, (), "true", "1"),
    (0, False, (), "0", "false"),
    ({"a": None}, {}, ("a",), "null", "nothing"),
    ({}, {"a": None}, ("a",), "nothing", "null"),
    ([1, 2], [1], (1,), "2", "nothing"),
    ([1], [1, "x"], (1,), "nothing", '"x"'),
    ({"a": [{"b": 1}]}, {"a": [{"b": "1"}]}, ("a", 0, "b"), "1", '"1"'),
    ({"a": 1}, [1], (), '{"a": 1}', "[1]"),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_values_that_are_equal(a: Any, b: Any) -> None:
    """The order of members and the type of a number do not matter."""
    assert differ(a, b) is None


@pytest.mark.parametrize(("a", "b", "path", "expected", "actual"), OTHER)
def test_the_first_difference(a: Any, b: Any, path: tuple[Any, ...], expected: str, actual: str) -> None:
    """What differs is found at its path, in the words of JSON."""
    found = differ(a, b)
    assert found is not None
    assert (found.path, found.expected, found.actual) == (path, expected, actual)


def test_what_is_too_much_stands_at_its_table() -> None:
    """A member that nobody expected has no place in the manifest, so the table around it is blamed."""
    failure = judge("the result", {"a": [1]}, {"a": [1, 2]}, ("expect",))
    assert failure is not None
    assert (failure.key, failure.message) == (("expect", "a"), "the result at a[1]")


def test_long_values_are_cut() -> None:
    """A value is one line of a length that can be read."""
    assert len(shown("x" * 5000)) == 300
    assert cut(" a\n\tb  c ") == "a b c"
