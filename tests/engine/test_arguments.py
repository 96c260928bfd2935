"""What is written down of arguments."""

from __future__ import annotations

import pytest

from headgate.engine.arguments import args_hash, noted, shapes

SECRET = "my card is 4111"


def test_shapes() -> None:
    """Types and lengths are told, never values."""
    args = {"a": SECRET, "n": 5, "f": 1.5, "b": True, "z": None, "l": [1, 2], "o": {SECRET: 1}}
    wanted = {"a": "string(15)", "n": "number", "f": "number", "b": "boolean", "z": "null", "l": "array(2)"}
    assert shapes(args) == {**wanted, "o": "object(1)"}


def test_names_that_are_data() -> None:
    """Names that no schema would have are counted only, and so are too many."""
    assert shapes({SECRET: 1, "a b": 2, "fine": 3}) == {"fine": "number", "...": "2 more"}
    many = shapes({f"n{i}": i for i in range(60)})
    assert (len(many), many["..."]) == (51, "10 more")


@pytest.mark.parametrize("detail", ["shapes", "hashes"])
def test_no_value_is_noted(detail: str) -> None:
    """Neither shapes nor hashes hold a value."""
    assert SECRET not in str(noted({"text": SECRET}, detail))  # type: ignore[arg-type]


def test_hashes() -> None:
    """A hash is that of the approvals, whatever the order of the keys."""
    assert noted({"a": 1, "b": 2}, "hashes") == {"arguments_sha256": args_hash({"b": 2, "a": 1})}


def test_values() -> None:
    """Values are noted as they are, but of long ones there are the shapes."""
    assert noted({"a": SECRET}, "values") == {"arguments": {"a": SECRET}}
    assert noted({"a": "x" * 9000}, "values") == {"shapes": {"a": "string(9000)"}}
    assert noted(None, "values") == {"arguments": "unreadable"}
