"""The templates of a tool's manifest: where they are, and whether their paths lead to an argument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from headgate.core.kind import Finding, Key
from headgate.expressions.body import Templated
from headgate.expressions.template import Slot
from headgate.tools.schema import find_dead_end

Place = tuple[Key, Slot]
"""A slot and the key of the scalar that holds it."""


def find_slots(value: Templated, key: Key) -> Iterator[Place]:
    """Every slot of a templated value that stands at `key`."""
    for inner, template in value.templates():
        yield from (((*key, *inner), slot) for slot in template.slots)


def check_paths(places: Iterable[Place], schema: Mapping[str, Any]) -> Iterator[Finding]:
    """HG1302 for every path that does not begin with `args`, or that the input schema cannot have."""
    for key, slot in places:
        if slot.steps[0] != "args":
            hint = "the arguments are under args: {{ args.name }}"
            yield Finding(key, "HG1302", f"a tool's templates have no {slot.path!r}", hint, slot.offset)
        elif dead := find_dead_end(schema, slot.steps[1:]):
            message = f"{slot.path!r} is not in the tool's input: {dead.message}"
            yield Finding(key, "HG1302", message, dead.hint, slot.offset)
