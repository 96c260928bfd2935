"""Patterns are found where Python finds them, whatever they are, with bounded work."""

from __future__ import annotations

import random
import re

import pytest
from pydantic_core import PydanticCustomError

from headgate.expressions.automaton import LONGEST, Automaton, TooMuchWork

PATTERNS = (
    r"ACME-\d{4,6}", r"\bfoo\b", r"(?i)cust(omer)?[ _-]?\d+", r"a+b", r"(a|ab)(c|bcd)", r"[^a-c]x", r"x{2,3}y?",
    r"^ab", r"ab\Z", r"(?m)^ab$", r"(?s)a.b", r"a.*?b", r"[\w.]+@\w+", r"(?i)[^a]b", r"(?i:AB)c", r"(a*)*b", r"\Bb",
    r"\S\s\D\W",
)  # fmt: skip


@pytest.mark.parametrize("source", PATTERNS)
def test_matches_begin_where_python_finds_them(source: str) -> None:
    """And each is at least as long, for the longest counts."""
    chance, automaton, pattern = random.Random(source), Automaton(source), re.compile(source, re.ASCII)
    for _ in range(500):
        text = "".join(chance.choice("abcABxy foo1-@\n_.") for _ in range(chance.randint(0, 20)))
        found, match = next(automaton.spans(text), None), pattern.search(text)
        if match is None:
            assert found is None
        else:
            assert found is not None
            assert (found[0], found[1] >= match.end()) == (match.start(), True)
            assert pattern.fullmatch(text, *found) or "$" in source or "b" in source


def test_a_search_from_the_middle_sees_what_stands_before() -> None:
    """A word that has begun before is not one that begins."""
    assert list(Automaton(r"\bfoo").spans("afoo foo", 1)) == [(5, 8)]


def test_the_longest_match() -> None:
    """More than so many characters are not one match."""
    assert list(Automaton("a+").spans("a" * (LONGEST + 10))) == [(0, LONGEST), (LONGEST, LONGEST + 10)]


@pytest.mark.parametrize("source", [r"(a+)+b", r"(a|aa)+b", r"(.*)(.*)(.*)b"])
def test_work_is_bounded(source: str) -> None:
    """A text that nearly matches everywhere is given up."""
    with pytest.raises(TooMuchWork):
        list(Automaton(source).spans("a" * 200_000))


@pytest.mark.parametrize(
    "source", ["", "a*", "a?|b", r"(?=a)b", r"(?<!a)b", r"(a)\1", "[[:alpha:]]", "x{5000}", "(a{1,100}){1,100}", "("]
)
def test_what_cannot_be_looked_for_is_refused(source: str) -> None:
    """Also what matches nothing at all, and what grows too large."""
    with pytest.raises(PydanticCustomError, match="the pattern"):
        Automaton(source)
