"""What checks the structure of documents: made for the kinds that a document names, when it is first needed. Schemas of
every kind of a build would take a third of a start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headgate.compile import schema
from headgate.compile.specs import FAMILIES
from headgate.compile.structure import Validator
from headgate.core.kind import Kinds

_KEPT = 64


class Validators:
    """The validators of one build's kinds."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._made: dict[tuple[str, frozenset[str]], Any] = {}

    def of(self, what: str, body: Any) -> Any:
        """What validates the body of a document: `gateway`, `agent` or `tool`."""
        named = frozenset(_named(what, body))
        made = self._made.get((what, named))
        if made is None:
            if len(self._made) >= _KEPT:
                self._made.clear()
            made = self._made[what, named] = Validator(self._schema(what, named))
        return made

    def _schema(self, what: str, named: frozenset[str]) -> schema.Schema:
        if what == "gateway":
            return schema.gateway_schema(self._kinds, named)
        return schema.tool_schema(self._kinds, named) if what == "tool" else schema.agent_schema()


def _named(what: str, body: Any) -> Iterator[str]:
    """The kinds that a body names, right or wrong."""
    if not isinstance(body, Mapping):
        return
    if what == "tool":
        yield from _kind(body)
    if what == "gateway":
        for family in FAMILIES:
            objects = body.get(family)
            for each in objects.values() if isinstance(objects, Mapping) else ():
                yield from _kind(each)


def _kind(of: Any) -> Iterator[str]:
    kind = of.get("kind") if isinstance(of, Mapping) else None
    if isinstance(kind, str):
        yield kind
