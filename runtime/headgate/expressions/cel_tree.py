"""The checked syntax tree of a CEL expression, read from the engine's serialized form.

The engine hands its tree out as protobuf (`cel.expr.CheckedExpr`, cel-spec `proto/cel/expr/checked.proto` and
`syntax.proto`). Only that one message has to be read, so the wire format is walked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

NodeKind = Literal["const", "ident", "select", "call", "list", "struct", "loop"]
Fields: TypeAlias = dict[int, list[Any]]


@dataclass(frozen=True, slots=True)
class Node:
    """One node; `offset` counts characters of the source, at the operator for selections, calls and loops.

    `name` is the identifier, the field, the function or the loop's variable; `value` a constant; `test` marks the
    selection that `has()` became. The `parts` of a loop are its range, first value, condition, step and result; its
    `binds` are the loop variables and, last, the accumulator.
    """

    kind: NodeKind
    offset: int = 0
    name: str = ""
    value: Any = None
    parts: tuple[Node, ...] = ()
    test: bool = False
    binds: tuple[str, ...] = ()


def read_tree(serialized: bytes) -> Node:
    """The tree of `Expression.serialize()`, an `Any` that holds a `CheckedExpr`."""
    checked = _fields(_fields(serialized)[2][0])
    positions = dict(_positions(checked.get(5, [b""])[0]))
    return _Reader(positions).node(checked[4][0])


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for part in node.parts:
        yield from walk(part)


def _positions(info: bytes) -> Iterator[tuple[int, int]]:
    for entry in _fields(info).get(4, ()):
        pair = _fields(entry)
        yield pair.get(1, [0])[0], pair.get(2, [0])[0]


class _Reader:
    """Turns `cel.expr.Expr` messages into nodes."""

    def __init__(self, positions: dict[int, int]) -> None:
        self.positions = positions

    def node(self, message: bytes) -> Node:
        fields = _fields(message)
        offset = self.positions.get(fields.get(2, [0])[0], 0)
        if 4 in fields:
            return Node("ident", offset, _text(_fields(fields[4][0]), 1).lstrip("."))
        if 5 in fields:
            return self._select(_fields(fields[5][0]), offset)
        if 6 in fields:
            call = _fields(fields[6][0])
            return Node("call", offset, _text(call, 2), parts=self._all(call.get(1, []) + call.get(3, [])))
        if 7 in fields:
            return Node("list", offset, parts=self._all(_fields(fields[7][0]).get(1, [])))
        if 8 in fields:
            return Node("struct", offset, parts=tuple(self._entries(_fields(fields[8][0]))))
        if 9 in fields:
            return self._loop(_fields(fields[9][0]), offset)
        return Node("const", offset, value=_constant(_fields(fields[3][0]) if 3 in fields else {}))

    def _all(self, messages: list[bytes]) -> tuple[Node, ...]:
        return tuple(map(self.node, messages))

    def _select(self, fields: Fields, offset: int) -> Node:
        test = bool(fields.get(3, [0])[0])
        return Node("select", offset, _text(fields, 2), parts=self._all(fields[1]), test=test)

    def _entries(self, fields: Fields) -> Iterator[Node]:
        for entry in map(_fields, fields.get(2, ())):
            yield from self._all(entry.get(3, []) + entry.get(4, []))

    def _loop(self, fields: Fields, offset: int) -> Node:
        parts = self._all([fields[number][0] for number in (2, 4, 5, 6, 7)])
        binds = tuple(_text(fields, number) for number in (1, 8, 3) if number in fields)
        return Node("loop", offset, binds[0], parts=parts, binds=binds)


def _constant(fields: Fields) -> Any:
    if 6 in fields:
        return fields[6][0].decode("utf-8", "replace")
    if 7 in fields:
        return fields[7][0]
    if 3 in fields:
        return fields[3][0] - ((fields[3][0] >> 63) << 64)
    if 4 in fields:
        return fields[4][0]
    return bool(fields[2][0]) if 2 in fields else None


def _text(fields: Fields, number: int) -> str:
    return bytes(fields.get(number, [b""])[0]).decode("utf-8", "replace")


def _fields(message: bytes) -> Fields:
    """The values of each field number (protobuf encoding: varint 0, 64 bits 1, bytes 2, 32 bits 5)."""
    fields: Fields = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        wire = tag & 7
        value: int | bytes
        if wire == 0:
            value, at = _varint(message, at)
        else:
            size, at = _varint(message, at) if wire == 2 else ({1: 8, 5: 4}[wire], at)
            value, at = message[at : at + size], at + size
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        octet = message[at]
        at += 1
        number |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            return number, at
