"""The input schema of a tool: checked as JSON Schema 2020-12, and walked to see whether a template path exists."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from jsonschema import Draft202012Validator
from pydantic import PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from headgate.core.kind import Key
from headgate.tools.plain_schema import TYPES, is_plain

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_META = Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
_TYPES = ", ".join(sorted(TYPES))
_DATA = frozenset({"const", "enum", "default", "examples"})
_TABLES = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NESTED = frozenset(
    {"items", "contains", "additionalProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties"}
    | {"not", "if", "then", "else", "contentSchema"}
)
KEYWORDS = frozenset(
    _TABLES
    | _LISTS
    | _NESTED
    | {"$schema", "$id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "$comment"}
    | {"type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"}
    | {"maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains"}
    | {"maxProperties", "minProperties", "required", "dependentRequired", "format", "contentEncoding"}
    | {"contentMediaType", "title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples"}
)
"""The keywords of JSON Schema 2020-12 (its vocabularies, https://json-schema.org/draft/2020-12), and `definitions`."""
_FOREIGN = frozenset({"example"})
"""Annotations of OpenAPI that look like keywords."""
_OPEN = ("$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "patternProperties")


def check_schema(schema: Any) -> dict[str, Any]:
    """The schema as it is; raises `ValidationError` with the place of everything that is wrong with it."""
    if not isinstance(schema, dict):
        raise PydanticCustomError("json_schema", "should be a JSON Schema of an object")
    faults = [_fault(key, message) for key, message in _faults(schema)]
    if faults:
        raise ValidationError.from_exception_data("input", faults)
    return schema


def _faults(schema: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    if schema.get("type") != "object":
        yield ("type",) if "type" in schema else (), "the input is an object; write type: object"
    if schema.get("$schema", DIALECT).rstrip("#") != DIALECT:
        yield ("$schema",), f"the input schema is read as {DIALECT}"
    plain = is_plain(schema)
    errors = () if plain else _META.iter_errors(schema)
    broken = [(tuple(error.absolute_path), _reason(error)) for error in errors]
    yield from ((key, f"not valid JSON Schema: {message[:200]}") for key, message in broken)
    if not broken:
        if not plain:
            yield from _broken_references(schema)
        for key, node in _schemas(schema, ()):
            yield from _misspelt(key, node)


def _schemas(node: Any, key: Key) -> Iterator[tuple[Key, dict[str, Any]]]:
    """The schema and all that are in it."""
    if not isinstance(node, dict):
        return
    yield key, node
    for name, each in node.items():
        inner: Iterable[tuple[Any, Any]] = ()
        if name in _TABLES and isinstance(each, dict):
            inner = each.items()
        elif name in _LISTS and isinstance(each, list):
            inner = enumerate(each)
        elif name in _NESTED:
            yield from _schemas(each, (*key, name))
        for place, one in inner:
            yield from _schemas(one, (*key, name, place))


def _misspelt(key: Key, node: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    """Words that say nothing in JSON Schema, and would be taken for annotations, but nearly are keywords."""
    for word in node.keys() - KEYWORDS - _FOREIGN:
        near = difflib.get_close_matches(word, KEYWORDS, n=1, cutoff=0.8)
        if near and not word.startswith("x-"):
            yield (*key, word), f"{word!r} is no keyword of JSON Schema; did you mean {near[0]!r}?"
    properties = node.get("properties")
    if not isinstance(properties, dict) or any(word in node for word in (*_OPEN, "additionalProperties")):
        return
    for index, name in enumerate(node.get("required", ())):
        if name not in properties:
            hint = suggest(name, properties)
            yield (*key, "required", index), f"{name!r} is required, but not among the properties; {hint}"


def _reason(error: Any) -> str:
    if error.absolute_path and error.absolute_path[-1] == "type" and isinstance(error.instance, str):
        return f"{error.instance!r} is no type; there are {_TYPES}"
    return str(error.message)


def _broken_references(schema: dict[str, Any]) -> Iterator[tuple[Key, str]]:
    registry: Registry[Any] = Registry().with_resource("", DRAFT202012.create_resource(schema)).crawl()
    resolver = registry.resolver()
    for key, target in _references(schema, ()):
        if not target.startswith("#"):
            yield key, f"{target!r} is outside the schema; only references that begin with # are followed"
            continue
        try:
            resolver.lookup(target)
        except Unresolvable:
            yield key, f"{target!r} leads nowhere in the schema"


def _references(node: Any, key: Key) -> Iterator[tuple[Key, str]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, each in items:
        if name in ("$ref", "$dynamicRef") and isinstance(each, str):
            yield (*key, name), each
        elif name not in _DATA or (isinstance(each, dict) and "properties" in key[-1:]):
            yield from _references(each, (*key, name))


def _fault(key: Key, message: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("json_schema", message), loc=key, input=None)


InputSchema = Annotated[
    dict[str, Any], PlainValidator(check_schema), WithJsonSchema({"type": "object", "x-json-schema": True})
]
"""A JSON Schema (2020-12) of an object, written in a manifest."""


@dataclass(frozen=True, slots=True)
class Dead:
    """A path that the schema does not have: the step where it ends, and what might have been meant."""

    message: str
    hint: str = ""


def find_dead_end(schema: Mapping[str, Any], steps: tuple[str | int, ...]) -> Dead | None:
    """Why `steps` can never lead to a value that `schema` allows, or None when they can or when it cannot be told."""
    node: Any = schema
    for step in steps:
        if not isinstance(node, Mapping) or any(word in node for word in _OPEN):
            return None
        dead, node = _enter(node, step)
        if dead is not None:
            return dead
    return None


def _enter(node: Mapping[str, Any], step: str | int) -> tuple[Dead | None, Any]:
    kind = node.get("type")
    if isinstance(step, int):
        return (
            (Dead(f"[{step}] is an index, but this is of type {kind}"), None)
            if _is_other(kind, "array")
            else _item(node, step)
        )
    if _is_other(kind, "object"):
        return Dead(f"{step!r} is a name, but this is of type {kind}"), None
    properties = node.get("properties")
    if not isinstance(properties, Mapping):
        return (Dead(f"there is no property {step!r}") if node.get("additionalProperties") is False else None), None
    if step in properties:
        return None, properties[step]
    if node.get("additionalProperties", False) is not False:
        return None, None
    return Dead(f"there is no property {step!r}", suggest(step, properties)), None


def _item(node: Mapping[str, Any], index: int) -> tuple[Dead | None, Any]:
    first = node.get("prefixItems", ())
    return None, first[index] if index < len(first) else node.get("items")


def _is_other(kind: Any, wanted: str) -> bool:
    return isinstance(kind, str) and kind != wanted


def suggest(word: str, choices: Mapping[str, Any]) -> str:
    """A hint for a word that is none of the choices."""
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(sorted(choices))}" if choices else "there are none"
