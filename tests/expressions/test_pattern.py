"""Patterns that are only looked for."""

from __future__ import annotations

import pytest
from pydantic_core import PydanticCustomError

from headgate.expressions.pattern import MAX_PATTERN, Pattern


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("b+", "abc", True),
        ("^b", "abc", False),
        ("(?i)IGNORE (all )?previous", "please ignore previous words", True),
        (r"\bcat\b", "concatenate", False),
        ("é", "caf\u00e9", True),
        ("end$", "a\0 \ud83d end", True),
    ],
)
def test_where_it_is(pattern: str, text: str, found: bool) -> None:
    """A match anywhere counts, in any text that Python can hold."""
    assert Pattern.parse(pattern).found(text) is found


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|aa)+$", "(.*)*x", "([a-z]+)*!"])
def test_no_pattern_is_slow(pattern: str) -> None:
    """What takes other engines longer than anybody lives is answered at once."""
    assert not Pattern.parse(pattern).found("a" * 100_000 + "?")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "missing )"),
        ("(?=x)", "invalid perl operator"),
        (r"(a)\1", "invalid escape"),
        ("", "not empty"),
        (7, "not empty"),
        ("a\0", "not empty"),
        ("a" * (MAX_PATTERN + 1), "at most"),
    ],
)
def test_what_is_no_pattern(pattern: object, said: str) -> None:
    """It is refused when it is read, with the engine's reason."""
    with pytest.raises(PydanticCustomError) as caught:
        Pattern.parse(pattern)
    assert said in caught.value.message()
