"""Follows a key path through a JSON Schema: which schema a key has, and which keys there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headgate.compile.schema import REFERENCE_LINK, Schema
from headgate.core.kind import Key

_DEFS = "#/$defs/"


class Walk:
    """One document schema. Bodies decide between branches: the keys of a kind are those of the kind that is written."""

    def __init__(self, root: Schema) -> None:
        self._root = root

    def find(self, key: Key, body: Any) -> Schema | None:
        """The schema of `key` in a document with this body; None when there is no such key."""
        node: Schema | None = self.resolved(self._root)
        for part in key:
            node = self._below(node, part, body) if node is not None else None
            body = _at(body, part)
        return node

    def keys(self, node: Schema, body: Any) -> set[str]:
        """The keys that an object of this schema may have."""
        return {name for each in self._branches(node, body) for name in each.get("properties", ())}

    def resolved(self, node: Schema) -> Schema:
        """The node with its reference followed; what stands beside the reference wins."""
        while str(node.get("$ref", "")).startswith(_DEFS):
            target: Schema = self._root["$defs"][node["$ref"].removeprefix(_DEFS)]
            node = {**target, **{name: each for name, each in node.items() if name != "$ref"}}
        return node

    def _below(self, node: Schema, part: str | int, body: Any) -> Schema | None:
        branches = list(self._branches(node, body))
        for each in reversed(branches):  # the key `kind` is said best by its own branch
            if isinstance(part, int) and isinstance(each.get("items"), dict):
                return self.resolved(each["items"])
            if part in each.get("properties", {}):
                return self.resolved(each["properties"][part])
        open_ended = [each["additionalProperties"] for each in branches if _is_open(each)]
        return self.resolved(open_ended[0]) if open_ended and isinstance(part, str) else None

    def _branches(self, node: Schema, body: Any) -> Iterator[Schema]:
        yield node
        for each in node.get("anyOf", ()):
            if each != REFERENCE_LINK:
                yield from self._branches(self.resolved(each), body)
        for each in node.get("allOf", ()):
            if "then" in each and _holds(each["if"], body):
                yield from self._branches(self.resolved(each["then"]), body)


def _is_open(node: Schema) -> bool:
    return isinstance(node.get("additionalProperties"), dict)


def _holds(condition: Mapping[str, Any], body: Any) -> bool:
    wanted = {name: each.get("const") for name, each in condition.get("properties", {}).items()}
    return isinstance(body, dict) and all(body.get(name) == value for name, value in wanted.items())


def _at(body: Any, part: str | int) -> Any:
    if isinstance(body, dict):
        return body.get(part)
    return body[part] if isinstance(body, list) and isinstance(part, int) and part < len(body) else None
