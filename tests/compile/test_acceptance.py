"""The quick yes for arguments: never where the validator says no, and where it matters, yes."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from headgate.compile.acceptance import accepts

NAMES = st.sampled_from(["a", "b", "c"])
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.0, 1.0, 1.5]), st.text("ab\u00e9", max_size=3)
)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"]
LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(TYPES),
        "description": st.just("what it is"),
        "enum": st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=2),
        "minimum": st.sampled_from([-1, 0, 1.5]),
        "maximum": st.integers(-1, 2),
        "minLength": st.integers(0, 2),
        "maxLength": st.integers(0, 2),
        "minItems": st.integers(0, 2),
        "maxItems": st.integers(0, 2),
    },
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["array", "object"]),
            "items": inner,
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "required": st.lists(NAMES, max_size=2, unique=True),
            "additionalProperties": st.booleans(),
        },
    ),
    max_leaves=6,
)


@given(schema=SCHEMAS, value=VALUES)
def test_no_yes_too_many(schema: dict[str, object], value: object) -> None:
    """What is accepted quickly is valid by the book."""
    quickly = accepts(schema)
    assert quickly is not None
    if quickly(value):
        assert Draft202012Validator(schema).is_valid(value)


ORDER = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "Whose", "maxLength": 5},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "tags": {"type": "array", "items": {"enum": ["new", "old"]}},
    },
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("args", "fits"),
    [
        ({"name": "Ada"}, True),
        ({"name": "Ada", "count": 2, "tags": ["new"]}, True),
        ({}, False),
        ({"name": "Ada", "count": True}, False),
        ({"name": "Ada", "count": 2.0}, False),  # an integer by the book: the validator is asked
        ({"name": "Ada", "tags": ["else"]}, False),
        ({"name": "Ada", "more": 1}, False),
        ({"name": "too long"}, False),
    ],
)
def test_a_plain_schema(args: dict[str, object], fits: bool) -> None:
    """Arguments that fit are accepted at once; all others are for the validator."""
    quickly = accepts(ORDER)
    assert quickly is not None
    assert quickly(args) is fits


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"},
        {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}},
        {"type": ["string", "null"]},
        {"anyOf": [{"type": "string"}]},
        {"type": "array", "items": {"$ref": "#/$defs/one"}},
        {"enum": [1, "a"]},
        {"pattern": "a+"},
        True,
    ],
)
def test_others_are_not_judged(schema: object) -> None:
    """A schema with any other word has no quick yes."""
    assert accepts(schema) is None
