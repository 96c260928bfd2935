"""Activations: what conditions see of a call, and how large it is."""

from __future__ import annotations

import pytest

from headgate.expressions.activation import Extent
from tests.expressions.calls import asked


def test_what_is_missing_is_an_empty_text() -> None:
    """A call without a channel compares with an empty text instead of failing."""
    assert asked().values["session"] == {"id": "sess_1", "team": "ops", "key": "local", "channel": ""}


def test_no_result_is_not_a_null_result() -> None:
    """Before the call there is no such name at all."""
    assert "result" not in asked().values
    assert asked(result=None).values["result"] is None


def test_a_result_that_is_too_large_takes_nothing_from_the_rest() -> None:
    """One name that does not fit is left out with its reason; the others stay."""
    activation = asked({"a": "b" * 200_000}, result="c" * 100_000)
    assert set(activation.faults) == {"result"}
    assert len(activation.values["args"]["a"]) == 200_000


@pytest.mark.parametrize(
    ("steps", "extent"),
    [
        (("args", "s"), Extent(5, 0)),
        (("args", "l"), Extent(18, 2)),
        (("args", "l", 1), Extent(8, 0)),
        (("args", "gone", "x"), Extent(1, 0)),
        (("args", "s", "x"), Extent(1, 0)),
    ],
)
def test_extents_measure_what_a_path_leads_to(steps: tuple[str | int, ...], extent: Extent) -> None:
    """Bytes and items of a value; a path that leads nowhere is next to nothing."""
    assert asked({"s": "abc", "l": [1, 2]}).extent(steps) == extent
