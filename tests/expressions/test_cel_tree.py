"""The tree that is read from the engine: kinds, constants and places."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.expressions.cel import compile_program
from headgate.expressions.cel_tree import Node, read_tree, walk


def tree(source: str) -> Node:
    """The tree of an expression."""
    return read_tree(compile_program(source).serialize())


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("'é😀'", "é😀"),
        ("b'x'", b"x"),
        ("5", 5),
        ("-5", -5),
        ("-9223372036854775808", -(2**63)),
        ("5u", 5),
        ("true", True),
        ("false", False),
        ("null", None),
    ],
)
def test_constants_have_their_values(source: str, value: Any) -> None:
    """Text, bytes, numbers of either sign, booleans and null."""
    node = tree(source)
    assert (node.kind, node.value) == ("const", value)


def test_nodes_stand_where_they_are_written() -> None:
    """Offsets count characters from the beginning, over lines and wide characters."""
    found = {(node.kind, node.name, node.offset) for node in walk(tree("'😀' ==\n args.x"))}
    assert found == {("const", "", 0), ("call", "_==_", 4), ("ident", "args", 8), ("select", "x", 12)}


def test_loops_bind_their_variables_and_tests_are_marked() -> None:
    """A macro is a loop with a variable and an accumulator, `has` a selection that only tests."""
    nodes = list(walk(tree("args.lines.exists(l, has(l.x))")))
    (loop,) = [node for node in nodes if node.kind == "loop"]
    assert (loop.name, len(loop.binds), len(loop.parts)) == ("l", 2, 5)
    assert [node.name for node in nodes if node.test] == ["x"]


def test_lists_and_maps_hold_their_items() -> None:
    """Keys and values of a map are parts, as are the items of a list."""
    node = tree("{'a': [1, 2]}")
    assert [node.kind, *(part.kind for part in node.parts)] == ["struct", "const", "list"]
