"""Values for the engine: nothing is cut short, nothing odd gets through."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from headgate.expressions.clean import MAX_CONTEXT, MAX_DEPTH, Cleaner
from headgate.expressions.values import NotJsonError, TooLargeError
from tests.expressions.calls import SCHEMA, asked


class Word(str):
    """A kind of text."""


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ((1, 2), [1, 2]),
        (frozenset({1}), [1]),
        (Decimal("1.5"), 1.5),
        (2**63, 2.0**63),
        (-(2**63), -(2**63)),
        (10**400, float("inf")),
        (-(10**400), float("-inf")),
        ("a\0b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("é\0", "é\ufffd"),
        (b"\0\xff", "AP8="),
        (Word("x"), "x"),
        ({"a\0": None, 1: True}, {"a\ufffd": None, "1": True}),
        ({"deep": [{"x": (1,)}]}, {"deep": [{"x": [1]}]}),
    ],
)
def test_values_become_what_the_engine_holds(value: Any, cleaned: Any) -> None:
    """Each kind of value has one plain counterpart, of exactly that type."""
    made = Cleaner().whole(value)
    assert made == cleaned
    assert type(made) is type(cleaned)


@pytest.mark.parametrize("value", [float("nan"), Decimal("nan"), object(), {(1, 2): 3}, {"a": [float("nan")]}])
def test_what_cannot_be_judged_is_refused(value: Any) -> None:
    """Not-a-number compares false with everything, so it must not reach a rule."""
    with pytest.raises(NotJsonError):
        Cleaner().whole(value)


def test_size_and_depth_are_limited() -> None:
    """Large, deep, circular and exponentially shared values are refused."""
    deep: list[Any] = []
    deep.append(deep)
    shared: list[Any] = ["x"]
    for _ in range(40):
        shared = [shared, shared]
    for value in ("a" * MAX_CONTEXT, ["ab"] * MAX_CONTEXT, deep, shared, {"a" * MAX_CONTEXT: 1}):
        with pytest.raises(TooLargeError):
            Cleaner().whole(value)


def test_nesting_up_to_the_limit_is_fine() -> None:
    """The limit itself is allowed."""
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert Cleaner().whole(value) == value


@pytest.mark.parametrize(
    ("name", "value", "cleaned"), [("amount", 5, 5.0), ("count", 5.0, 5), ("count", 5.5, 5.5), ("note", 5, 5)]
)
def test_numbers_take_the_type_of_their_schema(name: str, value: float, cleaned: float) -> None:
    """JSON does not tell 5 from 5.0, the schema does."""
    made = asked({name: value}, schema=SCHEMA).values["args"][name]
    assert (made, type(made)) == (cleaned, type(cleaned))
