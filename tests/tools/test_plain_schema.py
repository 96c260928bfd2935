"""The quick yes for schemas: never where the metaschema says no, and for schemas as people write them."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from headgate.tools.plain_schema import is_plain

META = Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
WORDS = [
    "type", "title", "description", "format", "default", "const", "enum", "examples", "minimum", "minLength", "items",
    "additionalProperties", "anyOf", "required", "properties", "uniqueItems", "deprecated", "$ref", "pattern", "not",
    "$schema", "$id", "x-own",
]  # fmt: skip
SAID = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-2, 2), st.just(1.5), st.sampled_from(["string", "object", "a", "(", ""])
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*WORDS, "a", "b"]), inner, max_size=4),
    max_leaves=12,
)


@given(schema=st.dictionaries(st.sampled_from(WORDS), SAID, max_size=5))
def test_no_yes_too_many(schema: dict[str, object]) -> None:
    """What is called plain is valid by the metaschema."""
    if is_plain(schema):
        assert META.is_valid(schema)


def test_an_everyday_schema() -> None:
    """An object with members of all sorts is plain."""
    members = {
        "name": {"type": "string", "description": "Whose.", "minLength": 1, "format": "email"},
        "limit": {"type": ["integer", "null"], "minimum": 1, "default": 10, "examples": [5]},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": True, "maxItems": 3},
        "more": {"anyOf": [{"type": "object", "additionalProperties": False}, True]},
    }
    assert is_plain({"type": "object", "properties": members, "required": ["name"]})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "text"},
        {"type": []},
        {"required": ["a", "a"]},
        {"minLength": -1},
        {"minLength": True},
        {"properties": []},
        {"properties": {"a": {"type": "text"}}},
        {"items": [{"type": "string"}]},
        {"anyOf": []},
        {"pattern": "("},
        {"$ref": "#/$defs/none"},
        {"requierd": ["a"]},
        None,
    ],
)
def test_what_has_to_be_looked_at(schema: object) -> None:
    """What may be wrong, or refers to something, is not plain."""
    assert not is_plain(schema)
