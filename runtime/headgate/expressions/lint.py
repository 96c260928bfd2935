"""Finds the members that a JMESPath expression asks for and that samples of its input do not have.

JMESPath answers null for whatever is not there, so a misspelt name is no error. The expression is walked beside all
samples at once. What an empty list, a null or a function hides counts as unknown, and what is unknown is not blamed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from jmespath.lexer import Lexer

from headgate.expressions.shape import Shape

Node = dict[str, Any]
Values = list[Any]
"""What a node may stand for, over all samples; empty: unknown."""

MAX_VALUES = 1_000
"""How many values of one node are looked at: `[@, @][]` doubles them with each use."""
_WORDS = ("unquoted_identifier", "quoted_identifier")
_NOT_FIELDS = ("lparen", "colon")
_SAME = frozenset({"sort", "sort_by", "reverse", "to_array"})
_ONE = frozenset({"max_by", "min_by"})
_DOUBT = frozenset({"or_expression", "and_expression", "not_expression"})
_NULLABLE = frozenset({"not_null", "type"})
_LITERALS = ("null", "true", "false")
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Absence:
    """A member that no sample has, where it stands in the expression, and what might have been meant."""

    message: str
    hint: str
    offset: int


def absent(shape: Shape, samples: Sequence[Any]) -> list[Absence]:
    """The members that `shape` names and that are nowhere in the samples, in the order of the expression.

    What stands beside `||`, `&&`, `!` or a comparison with null may be missing, and so may what `not_null` is given.
    """
    try:
        lint = _Lint(dict(_places(shape)))
        lint.visit(shape.tree, list(samples))
    except RecursionError:
        return []  # a path of hundreds of steps, which the engine cannot walk either
    return sorted(lint.found, key=lambda each: each.offset)


def _places(shape: Shape) -> Iterator[tuple[int, int]]:
    """Every field's node, by identity, and its offset: the parser keeps no positions, but the order of the fields."""
    tokens = list(Lexer().tokenize(shape.source))
    words = [
        token["start"]
        for token, after in pairwise(tokens)
        if token["type"] in _WORDS and after["type"] not in _NOT_FIELDS
    ]
    fields = list(_fields(shape.tree))
    return zip(map(id, fields), words, strict=True) if len(fields) == len(words) else iter(())


def _fields(node: Node) -> Iterator[Node]:
    if node["type"] == "field":
        yield node
    parts = [each for each in node["children"] if isinstance(each, dict)]
    if node["type"] == "filter_projection":
        parts = [parts[0], parts[2], parts[1]]  # as they are written
    for part in parts:
        yield from _fields(part)


class _Lint:
    """One walk; `doubt` is above zero where a member may be missing."""

    def __init__(self, places: dict[int, int]) -> None:
        self._places = places
        self._doubt = 0
        self.found: list[Absence] = []

    def visit(self, node: Node, values: Values) -> Values:
        """What the node stands for when it is asked of one of the values."""
        values = _few(values)
        visitor = getattr(self, f"_{node['type']}", None)
        if visitor is not None:
            return list(visitor(node, values))
        self._doubt += node["type"] in _DOUBT or _with_null(node)
        parts = [self.visit(each, values) for each in node["children"] if isinstance(each, dict)]
        self._doubt -= node["type"] in _DOUBT or _with_null(node)
        return [each for part in parts for each in part] if node["type"] in _DOUBT else []

    def _identity(self, _node: Node, values: Values) -> Values:
        return values

    _current = _identity

    def _literal(self, node: Node, _values: Values) -> Values:
        return [node["value"]]

    def _field(self, node: Node, values: Values) -> Values:
        name = node["value"]
        tables = [each for each in values if isinstance(each, dict)]
        if any(name in each for each in tables):
            return [each[name] for each in tables if name in each]
        if values and not self._doubt:
            self.found.append(_absence(name, values, tables, self._places.get(id(node), 0)))
        return []

    def _subexpression(self, node: Node, values: Values) -> Values:
        for part in node["children"]:
            values = self.visit(part, values)
            if not values:
                break
        return values

    _index_expression = _subexpression
    _pipe = _subexpression

    def _index(self, node: Node, values: Values) -> Values:
        at = node["value"]
        return [each[at] for each in values if isinstance(each, list) and -len(each) <= at < len(each)]

    def _slice(self, node: Node, values: Values) -> Values:
        return [each[slice(*node["children"])] for each in values if isinstance(each, list)]

    def _projection(self, node: Node, values: Values) -> Values:
        source, each = node["children"]
        return _listed(self._asked(each, _items(self.visit(source, values))))

    def _value_projection(self, node: Node, values: Values) -> Values:
        source, each = node["children"]
        tables = [one for one in self.visit(source, values) if isinstance(one, dict)]
        return _listed(self._asked(each, [one for table in tables for one in table.values()]))

    def _filter_projection(self, node: Node, values: Values) -> Values:
        source, each, condition = node["children"]
        items = _items(self.visit(source, values))
        self._asked(condition, items)
        return _listed(self._asked(each, items))

    def _asked(self, node: Node, values: Values) -> Values:
        """What the node stands for; unknown where there is nothing to ask it of."""
        return self.visit(node, values) if values else []

    def _flatten(self, node: Node, values: Values) -> Values:
        items = _items(self.visit(node["children"][0], values))
        return _listed(_few(one for each in items for one in (each if isinstance(each, list) else [each])))

    def _multi_select_dict(self, node: Node, values: Values) -> Values:
        made = {each["value"]: self.visit(each["children"][0], values) for each in node["children"]}
        size = max(map(len, made.values()))
        return [{name: found[min(at, len(found) - 1)] if found else None for name, found in made.items()}
                for at in range(size)]  # fmt: skip

    def _multi_select_list(self, node: Node, values: Values) -> Values:
        parts = [self.visit(each, values) for each in node["children"]]
        return _listed([one for part in parts for one in part]) if all(parts) else []

    def _function_expression(self, node: Node, values: Values) -> Values:
        name, given = node["value"], node["children"]
        self._doubt += name in _NULLABLE
        plain = [self.visit(each, values) for each in given if each["type"] != "expref"]
        self._doubt -= name in _NULLABLE
        items = [one for part in plain for one in _items(part)]
        mapped = [self._asked(each["children"][0], items) for each in given if each["type"] == "expref"]
        if name == "map":
            return _listed(mapped[0]) if mapped else []
        return plain[0] if name in _SAME else items if name in _ONE else []


def _items(values: Values) -> Values:
    return _few(one for each in values if isinstance(each, list) for one in each)


def _few(values: Iterable[Any]) -> Values:
    return list(islice((each for each in values if each is not None), MAX_VALUES))


def _listed(items: Values) -> Values:
    return [items] if items else []


def _with_null(node: Node) -> bool:
    parts = node["children"]
    return node["type"] == "comparator" and any(each["type"] == "literal" and each["value"] is None for each in parts)


def _absence(name: str, values: Values, tables: list[dict[str, Any]], offset: int) -> Absence:
    message = f"no answer of the tests has a {name!r} here"
    if name in _LITERALS:
        return Absence(message, f"write the value {name} in backticks", offset)
    if not tables:
        listed = f"it is a list; [].{name} is that of each item"
        return Absence(message, listed if isinstance(values[0], list) else "it is one value", offset)
    known = sorted({key for each in tables for key in each})
    near = difflib.get_close_matches(name, known, n=1)
    have = f"there are {', '.join(known[:_SHOWN])}" if known else "there is nothing"
    return Absence(message, f"did you mean {near[0]!r}?" if near else have, offset)
