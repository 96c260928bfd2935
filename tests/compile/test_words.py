"""How values are written, in words."""

from __future__ import annotations

import pytest

from headgate.compile.words import bound, form
from headgate.core.scalars import NAME, NAME_HINT, PATIENCE


def test_known_patterns_are_put_in_words() -> None:
    """A pattern of the specs is explained, and never shown."""
    assert form(NAME) == NAME_HINT
    assert form(PATIENCE, ("30s",)) == "write it like 250ms, 30s, 10m"


def test_other_patterns_have_examples_or_are_shown() -> None:
    """Of a pattern that has no words the examples are given, and at last the pattern itself."""
    assert form("^a+$", ("aa", "aaa")) == "write it like aa, aaa"
    assert form("^a+$") == "it must match ^a+$"
    assert form("") == ""


@pytest.mark.parametrize(
    ("kind", "context", "said"),
    [
        ("greater_than", {"gt": 0}, "must be greater than 0"),
        ("less_than_equal", {"le": 10}, "must be at most 10"),
        ("string_too_short", {"min_length": 8}, "must have at least 8 characters"),
        ("string_pattern_mismatch", {"pattern": "^a$"}, "is not valid"),
        ("int_parsing", {}, ""),
    ],
)
def test_bounds_are_said_in_plain_words(kind: str, context: dict[str, object], said: str) -> None:
    """What a library says of a value becomes a sentence about its key."""
    assert bound(kind, context) == said
