"""What the names of a condition are, and the CEL types of what a JSON Schema describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cel_expr_python import cel

_RECORDS: dict[str, dict[str, str]] = {
    "tool": {
        "name": "string",
        "server": "string",
        "kind": "string",
        "read_only": "boolean",
        "destructive": "boolean",
        "idempotent": "boolean",
        "open_world": "boolean",
        "tainted": "boolean",
    },
    "agent": {"name": "string"},
    "session": {"id": "string", "team": "string", "key": "string", "channel": "string"},
    "run": {"turn": "integer", "cost_usd": "number", "depth": "integer"},
}
_SCHEMAS: dict[str, dict[str, Any]] = {
    root: {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in members.items()},
        "additionalProperties": False,
    }
    for root, members in _RECORDS.items()
}

MAP = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
ROOTS: dict[str, cel.Type] = {
    **dict.fromkeys([*_RECORDS, "args"], MAP),
    "result": cel.Type.DYN,
    "now": cel.Type.TIMESTAMP,
}
"""Every name that a condition may use, with the type that it has when nothing more is known."""

_SCALARS = {
    "string": cel.Type.STRING,
    "boolean": cel.Type.BOOL,
    "integer": cel.Type.INT,
    "number": cel.Type.DOUBLE,
}


RECORDS = {f"{root}.{name}": _SCALARS[kind] for root, each in _RECORDS.items() for name, kind in each.items()}
"""The members that every call has, by their dotted names."""


@dataclass(frozen=True, slots=True)
class Declarations:
    """What a condition may name, and of which type.

    `args` is the input schema (JSON Schema 2020-12) of the one tool that the rule is about, None when it is about
    several. `after` says that the condition is asked after the call, when there is a `result`.
    """

    args: Mapping[str, Any] | None = None
    after: bool = False

    def schema(self, root: str) -> Any:
        """The JSON Schema of a name; None where nothing is known."""
        return self.args if root == "args" else _SCHEMAS.get(root)


def member(schema: Any, step: str | int) -> Any:
    """The schema of a property or an item; None when the schema does not say."""
    if not isinstance(schema, Mapping):
        return None
    if isinstance(step, int):
        return None if "prefixItems" in schema else schema.get("items")
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and step in properties:
        return properties[step]
    return None if "patternProperties" in schema else schema.get("additionalProperties")


_MORE = frozenset({"additionalProperties", "patternProperties", "unevaluatedProperties", "dependentSchemas"})
_MORE |= {"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if"}


def members(schema: Any) -> tuple[str, ...] | None:
    """The properties that an object can have; None when it may have others.

    JSON Schema lets an object have more than its `properties` unless it is told otherwise. A rule that names such a
    property is a misspelling far more often than not, so the schema has to say that there is more.
    """
    if not isinstance(schema, Mapping):
        return None
    properties, said = schema.get("properties"), _MORE.intersection(schema)
    listed = tuple(properties) if isinstance(properties, Mapping) else ()
    if schema.get("additionalProperties") is False and "patternProperties" not in said:
        return listed
    return listed if listed and not said else None


def cel_type(schema: Any) -> cel.Type:
    """The CEL type of the values that a schema allows; DYN where it allows several or cannot be told (`$ref`)."""
    if not isinstance(schema, Mapping) or schema.get("nullable"):
        return cel.Type.DYN
    kind = schema.get("type") if "type" in schema else _common_kind(schema)
    if kind == "array":
        return cel.Type.List(cel_type(member(schema, 0)))
    if kind == "object":
        plain = "properties" not in schema and "patternProperties" not in schema
        return cel.Type.Map(cel.Type.STRING, cel_type(schema.get("additionalProperties")) if plain else cel.Type.DYN)
    return _SCALARS.get(kind, cel.Type.DYN) if isinstance(kind, str) else cel.Type.DYN


def fractional(schema: Any) -> bool:
    """Whether whole numbers under this schema are numbers with a fraction that happens to be zero."""
    return isinstance(schema, Mapping) and _names(schema, "number") and not _names(schema, "integer")


def integral(schema: Any) -> bool:
    """Whether the schema takes whole numbers only; JSON Schema counts `5.0` among them."""
    return isinstance(schema, Mapping) and _names(schema, "integer") and not _names(schema, "number")


def _names(schema: Mapping[str, Any], kind: str) -> bool:
    given = schema.get("type")
    return kind in given if isinstance(given, list) else given == kind


def _common_kind(schema: Mapping[str, Any]) -> str | None:
    """The type that all values of an `enum` or a `const` have in common."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(values, list) or not values:
        return None
    kinds = {type(value) for value in values}
    return {str: "string", bool: "boolean", int: "integer"}.get(kinds.pop()) if len(kinds) == 1 else None
