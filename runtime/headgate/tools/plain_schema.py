"""A quick yes for JSON Schemas of everyday words: validating one against the metaschema costs more than all the rest of
reading a tool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Holds = Callable[[Any], bool]

TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


def is_plain(schema: Any) -> bool:
    """Whether the schema surely is one of JSON Schema 2020-12 and refers to nothing; if not, it may be one all the
    same."""
    if type(schema) is bool:
        return True
    if type(schema) is not dict:
        return False
    for word, said in schema.items():
        holds = _WORDS.get(word)
        if holds is None or not holds(said):
            return False
    return True


def _text(said: Any) -> bool:
    return type(said) is str


def _flag(said: Any) -> bool:
    return type(said) is bool


def _list(said: Any) -> bool:
    return type(said) is list


def _number(said: Any) -> bool:
    return type(said) is int or type(said) is float


def _count(said: Any) -> bool:
    return type(said) is int and said >= 0


def _anything(_said: Any) -> bool:
    return True


def _type(said: Any) -> bool:
    return (type(said) is str and said in TYPES) or (_names(said) and bool(said) and TYPES.issuperset(said))


def _names(said: Any) -> bool:
    """A list of texts, each once."""
    return type(said) is list and all(type(each) is str for each in said) and len(set(said)) == len(said)


def _table(said: Any) -> bool:
    return type(said) is dict and all(map(is_plain, said.values()))


def _several(said: Any) -> bool:
    return type(said) is list and bool(said) and all(map(is_plain, said))


_WORDS: Mapping[str, Holds] = {
    **dict.fromkeys(("title", "description", "$comment", "format"), _text),
    **dict.fromkeys(("deprecated", "readOnly", "writeOnly", "uniqueItems"), _flag),
    **dict.fromkeys(("default", "const"), _anything),
    **dict.fromkeys(("enum", "examples"), _list),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _number),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _count),
    **dict.fromkeys(("items", "additionalProperties"), is_plain),
    **dict.fromkeys(("anyOf", "oneOf", "allOf"), _several),
    "type": _type,
    "required": _names,
    "properties": _table,
}
"""What each of the words has to be (https://json-schema.org/draft/2020-12/schema)."""
