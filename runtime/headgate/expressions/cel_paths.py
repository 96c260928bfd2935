"""Which members of the declared names an expression touches: `args.lines`, `tool["name"]`, `has(args.to)`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from headgate.expressions.cel_tree import Node

_LOOKUPS = ("_[_]", "_[?_]", "_?._")
_PUNCTUATION = re.compile(r"[.?\s]*")
_HAS = re.compile(r"has[ \t]*\(\s*[A-Za-z_]\w*(?:\s*\.\s*\w+)+\s*\)", re.ASCII)

Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """One use of a declared name: `steps` begin with it, `offsets` are where each step is written.

    The first `dotted` steps are joined by dots, which is where the engine resolves typed names. `test` marks what is
    only looked for, and `mask` is the extent of that `has(...)` in the source, where it is simple enough to tell.
    """

    steps: Steps
    offsets: tuple[int, ...]
    dotted: int
    test: bool = False
    mask: tuple[int, int] | None = None


def references(node: Node, source: str, bound: frozenset[str] = frozenset()) -> Iterator[Reference]:
    """Every longest path that begins with a name that no loop binds."""
    found = _tested(node, source, bound) or path(node, source, bound)
    if found is not None:
        yield found
        return
    for part, names in scopes(node, bound):
        yield from references(part, source, names)


def scopes(node: Node, bound: frozenset[str]) -> Iterator[tuple[Node, frozenset[str]]]:
    """The parts of a node with the names that are bound in each."""
    inner = bound | set(node.binds)
    accumulated = bound | set(node.binds[-1:])
    each = (bound, bound, inner, inner, accumulated) if node.kind == "loop" else (bound,) * len(node.parts)
    return zip(node.parts, each, strict=True)


def path(node: Node, source: str, bound: frozenset[str]) -> Reference | None:
    """The path that a node is, if all its steps are written out."""
    if node.kind == "ident":
        return None if node.name in bound else Reference((node.name,), (node.offset,), 1)
    if node.kind == "select" and not node.test:
        return _extend(path(node.parts[0], source, bound), node.name, _after_dot(source, node.offset), dotted=True)
    if node.kind == "call" and node.name in _LOOKUPS and len(node.parts) == 2:
        key = node.parts[1]
        if key.kind == "const" and isinstance(key.value, str | int) and not isinstance(key.value, bool):
            at = _after_dot(source, node.offset) if node.name == "_?._" else key.offset
            return _extend(path(node.parts[0], source, bound), key.value, at)
    return None


def _tested(node: Node, source: str, bound: frozenset[str]) -> Reference | None:
    if node.kind == "call" and node.name == "@in" and isinstance(node.parts[0].value, str):
        base = path(node.parts[1], source, bound)
        # A list may hold the text as an item; only for what is known to be an object is it a member.
        return base and _extend(base, node.parts[0].value, node.parts[0].offset, test=True)
    if node.kind != "select" or not node.test:
        return None
    mask = _mask(source, node.offset)
    at = source.rindex(node.name, *mask) if mask else node.offset
    return _extend(path(node.parts[0], source, bound), node.name, at, dotted=True, test=True, mask=mask)


def _extend(
    base: Reference | None,
    step: str | int,
    offset: int,
    *,
    dotted: bool = False,
    test: bool = False,
    mask: tuple[int, int] | None = None,
) -> Reference | None:
    if base is None:
        return None
    joined = base.dotted + (dotted and base.dotted == len(base.steps))
    return Reference((*base.steps, step), (*base.offsets, offset), joined, test=test, mask=mask)


def _mask(source: str, opening: int) -> tuple[int, int] | None:
    start = source.rfind("has", 0, opening)
    match = _HAS.match(source, start) if start >= 0 else None
    inside = match is not None and match.start() <= opening < match.end()
    return match.span() if match is not None and inside else None


def _after_dot(source: str, offset: int) -> int:
    match = _PUNCTUATION.match(source, offset)
    return match.end() if match else offset
