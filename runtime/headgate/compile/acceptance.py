"""A quick yes for arguments that fit a plain JSON Schema: most schemas are plain, and most arguments fit.

It says yes only where a validator of JSON Schema 2020-12 would; everything else is that one's to judge, and to explain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headgate.tools.schema import DIALECT

Accepts = Callable[[Any], bool]

_TYPES: Mapping[str, frozenset[type]] = {
    "array": frozenset({list}), "boolean": frozenset({bool}), "integer": frozenset({int}),
    "null": frozenset({type(None)}), "number": frozenset({int, float}), "object": frozenset({dict}),
    "string": frozenset({str}),
}  # fmt: skip
_SILENT = frozenset({"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"})
_BOUNDS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minimum": ("number", lambda value, bound: value >= bound),
    "maximum": ("number", lambda value, bound: value <= bound),
    "minLength": ("string", lambda value, bound: len(value) >= bound),
    "maxLength": ("string", lambda value, bound: len(value) <= bound),
    "minItems": ("array", lambda value, bound: len(value) >= bound),
    "maxItems": ("array", lambda value, bound: len(value) <= bound),
}


def accepts(schema: Any) -> Accepts | None:
    """What says yes to values that surely fit the schema; None for a schema that is not plain."""
    if not isinstance(schema, Mapping) or schema.get("$schema", DIALECT) != DIALECT:
        return None
    checks: list[Accepts] = []
    for word, said in schema.items():
        if word in _SILENT or word in ("$schema", "properties", "required", "additionalProperties"):
            continue
        check = _word(word, said)
        if check is None:
            return None
        checks.append(check)
    if "properties" in schema or "required" in schema or "additionalProperties" in schema:
        members = _members(schema)
        if members is None:
            return None
        checks.append(members)
    return _all(checks)


def _all(checks: Sequence[Accepts]) -> Accepts:
    if len(checks) == 1:
        return checks[0]
    return lambda value: all(check(value) for check in checks)


def _word(word: str, said: Any) -> Accepts | None:
    if word == "type" and isinstance(said, str) and said in _TYPES:
        types = _TYPES[said]
        return lambda value: type(value) in types
    if word == "enum" and isinstance(said, list) and all(type(each) is str for each in said):
        return lambda value: type(value) is str and value in said
    if word == "items":
        return _items(said)
    if word in _BOUNDS and type(said) in (int, float):
        of, holds = _BOUNDS[word]
        types = _TYPES[of]
        return lambda value: type(value) in types and holds(value, said)
    return None


def _items(schema: Any) -> Accepts | None:
    each = accepts(schema)
    if each is None:
        return None
    return lambda value: type(value) is list and all(map(each, value))


def _members(schema: Mapping[str, Any]) -> Accepts | None:
    known, required, more = schema.get("properties", {}), schema.get("required", []), schema.get("additionalProperties")
    if not isinstance(known, Mapping) or not isinstance(required, list) or more not in (None, True, False):
        return None
    checks: dict[str, Accepts] = {}
    for name, inner in known.items():
        check = accepts(inner)
        if check is None:
            return None
        checks[name] = check

    def fits(value: Any) -> bool:
        if type(value) is not dict or not all(name in value for name in required):
            return False
        for name, each in value.items():
            check = checks.get(name)
            if not check(each) if check is not None else more is False:
                return False
        return True

    return fits
