"""The size of JSON values."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.expressions.values import NotJsonError, TooLargeError, json_size

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(JSON)
def test_sizes_are_near_the_encoded_length(value: object) -> None:
    """The estimate is of the order of the JSON text: enough to bound memory."""
    length = len(msgspec.json.encode(value))
    assert length / 6 <= json_size(value, 10**9) <= 3 * length + 8


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, {2}]}, r"a value of type set is not a JSON value at a\[1\]"),
        ({1: 2}, "keys that are not text"),
        ([float("nan")], "not finite"),
        ((1,), "of type tuple"),
        (b"x", "of type bytes"),
    ],
)
def test_other_values_are_named_with_their_place(value: object, message: str) -> None:
    """What JSON lacks is refused with its type and place."""
    with pytest.raises(NotJsonError, match=message):
        json_size(value, 1000)


def test_the_walk_ends_at_the_limit() -> None:
    """A list that contains itself is too large, not endless."""
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(TooLargeError):
        json_size(loop, 1000)
