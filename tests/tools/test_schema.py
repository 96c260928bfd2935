"""Input schemas: what is valid, and which template paths exist."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from headgate.tools.schema import check_schema, find_dead_end

GOOD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "to": {"$ref": "#/$defs/address"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}}}},
        "pair": {"prefixItems": [{"type": "object", "properties": {"a": {}}, "additionalProperties": False}]},
        "free": {"type": "object"},
        "open": {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
        "none": {"type": "object", "additionalProperties": False},
        "$ref": {"type": "string"},
    },
    "$defs": {"address": {"type": "object"}},
    "examples": [{"$ref": "not a reference"}],
}


def test_a_valid_schema_is_kept() -> None:
    """A schema with local references and odd names is taken as it is."""
    assert check_schema(GOOD) is GOOD


@pytest.mark.parametrize(
    ("schema", "place", "message"),
    [
        ({}, (), "write type: object"),
        ({"type": "array"}, ("type",), "write type: object"),
        ({"type": "object", "properties": {"a": {"type": "strin"}}}, ("properties", "a", "type"), "not valid"),
        ({"type": "object", "properties": {"a": {"pattern": "["}}}, ("properties", "a", "pattern"), "not valid"),
        ({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}, ("$schema",), "is read as"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}, ("properties", "a", "$ref"), "leads nowhere"),
        ({"type": "object", "allOf": [{"$ref": "https://x/y"}]}, ("allOf", 0, "$ref"), "outside the schema"),
        ({"type": "object", "requried": ["a"]}, ("requried",), "did you mean 'required'?"),
        (
            {"type": "object", "properties": {"a": {"items": {"maxlength": 3}}}},
            ("properties", "a", "items", "maxlength"),
            "did you mean 'maxLength'?",
        ),
        (
            {"type": "object", "anyOf": [{"$defs": {"a": {"additionalPropertys": False}}}]},
            ("anyOf", 0, "$defs", "a", "additionalPropertys"),
            "did you mean 'additionalProperties'?",
        ),
        (
            {"type": "object", "properties": {"name": {}}, "required": ["name", "nmae"]},
            ("required", 1),
            "not among the properties; did you mean 'name'?",
        ),
    ],
)
def test_faults_have_their_place(schema: dict[str, Any], place: tuple[Any, ...], message: str) -> None:
    """Every fault is found at the key to blame."""
    with pytest.raises(ValidationError) as caught:
        check_schema(schema)
    (fault,) = caught.value.errors()
    assert (fault["loc"], message in fault["msg"]) == (place, True)


@pytest.mark.parametrize(
    "words",
    [
        {"x-requird": 1, "nullable": True, "example": {"requried": 1}, "widget": "text"},
        {"properties": {"requried": {}, "maxlength": {}}, "default": {"requried": 1}, "enum": [{"requried": 1}]},
        {"properties": {"a": {}}, "required": ["b"], "additionalProperties": True},
        {"properties": {"a": {}}, "required": ["b"], "patternProperties": {"^b$": {}}},
        {"required": ["b"]},
    ],
)
def test_annotations_and_open_objects_are_no_faults(words: dict[str, Any]) -> None:
    """Words of one's own, data, names of properties, and properties that need not be listed are let alone."""
    assert check_schema({"type": "object", **words}) == {"type": "object", **words}


def test_a_schema_is_an_object() -> None:
    """`true`, which is a JSON Schema, says nothing about arguments."""
    with pytest.raises(PydanticCustomError, match="JSON Schema of an object"):
        check_schema(True)


@pytest.mark.parametrize(
    "steps",
    [
        (),
        ("name",),
        ("to", "city"),
        ("lines", 0, "id"),
        ("pair", 0, "a"),
        ("free", "x", "y"),
        ("open", "b"),
    ],
)
def test_paths_that_may_exist(steps: tuple[str | int, ...]) -> None:
    """A path that the schema has, or does not rule out, is no dead end."""
    assert find_dead_end(GOOD, steps) is None


@pytest.mark.parametrize(
    ("steps", "message", "hint"),
    [
        (("nmae",), "there is no property 'nmae'", "did you mean 'name'?"),
        (("lines", 0, "no"), "there is no property 'no'", "there are: id"),
        (("pair", 0, "zz"), "there is no property 'zz'", "there are: a"),
        (("none", "x"), "there is no property 'x'", ""),
        (("name", "x"), "'x' is a name, but this is of type string", ""),
        (("name", 0), "[0] is an index, but this is of type string", ""),
        (("lines", "id"), "'id' is a name, but this is of type array", ""),
    ],
)
def test_dead_ends(steps: tuple[str | int, ...], message: str, hint: str) -> None:
    """A path that can never have a value says where it ends and what might have been meant."""
    dead = find_dead_end(GOOD, steps)
    assert dead is not None
    assert (dead.message, dead.hint) == (message, hint)
