"""How much text and how many items an expression would copy and compare, before it is let do so.

The engine stops after 10,000 loop iterations, but one iteration may copy a large argument, `map` and `filter` copy the
list that they make each time it grows, and loops in a chain may double what the one before made. An upper bound of that
work is found from the tree and the sizes of what it names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from headgate.expressions.activation import Extent
from headgate.expressions.cel_paths import Steps, path
from headgate.expressions.cel_tree import Node

MAX_WORK = 32 << 20
"""Bytes that one evaluation may copy or compare: some hundred milliseconds and less than 200 MiB at the worst."""
MAX_ITERATIONS = 10_000
"""The engine's own budget for all loops of one evaluation."""

_LOGIC = ("_&&_", "_||_", "!_", "@not_strictly_false")
_SMALL_RESULTS = frozenset(
    {
        *("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_-_", "_*_", "_/_", "_%_", "-_", "@in", "size", "contains"),
        *("startsWith", "endsWith", "matches", "int", "uint", "double", "bool", "type", "timestamp", "duration"),
        *("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours", "getMilliseconds"),
        *("getMinutes", "getMonth", "getSeconds", "hasValue", "optional.none"),
    }
)
"""The functions whose result is small whatever they are given; that of any other is taken to be all it was given."""

_LOOKUPS = ("_[_]", "_[?_]", "_?._")
_ITEM = 8
"""What copying one item of a list counts; measured, as are 4 ns a byte."""

Measure = Callable[[Steps], Extent]


class WorkError(ValueError):
    """The expression might take more work than is allowed."""


@dataclass(frozen=True, slots=True)
class _Size:
    """A value's size and number of items, on average over the innermost loop, and its size at `most` in any."""

    size: float
    count: float
    most: float


_SMALL = _Size(8, 0, 8)


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the loops around a node bind, and how many times the node is evaluated."""

    names: Mapping[str, _Size] = field(default_factory=dict)
    times: float = 1.0


def loops(node: Node) -> bool:
    """Whether the tree has a loop at all; without one the work is bounded by the length of the source."""
    return node.kind == "loop" or any(map(loops, node.parts))


def check_work(tree: Node, measure: Measure) -> None:
    """Raises `WorkError` when evaluating the tree could take more than `MAX_WORK`."""
    _Estimate(measure).size(tree, _Frame())


class _Estimate:
    """One walk over a tree, which adds up the work and answers the size of each value.

    A loop variable counts with the mean size of the items, which is exact for a sum over the loop; in a loop within it,
    where large items might meet many iterations, with the size at most.
    """

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self.work = 0.0

    def size(self, node: Node, frame: _Frame) -> _Size:
        if node.kind == "const":
            own = len(node.value) + 2 if isinstance(node.value, str | bytes) else 8
            return _Size(own, 0, own)
        if node.kind == "loop":
            return self._loop(node, frame)
        if node.kind == "ident" and node.name in frame.names:
            return self._copy(frame.names[node.name], frame)
        found = path(node, "", frozenset(frame.names))
        if found is None:
            return self._compound(node, frame)
        extent = self.measure(found.steps)
        return self._copy(_Size(extent.size, extent.count, extent.size), frame)

    def _compound(self, node: Node, frame: _Frame) -> _Size:
        parts = [self.size(part, frame) for part in node.parts]
        total = _total(parts)
        if node.kind == "select":
            return _SMALL if node.test else _part(total)
        if node.kind in ("list", "struct"):
            return _Size(total.size + 2, len(parts), total.most + 2)
        if node.name in _LOGIC:
            return _SMALL
        self._copy(total, frame)
        if node.name in _LOOKUPS:
            return _part(parts[0])
        if node.name in _SMALL_RESULTS:
            return _SMALL
        return _Size(max(total.size, 32), total.count, max(total.most, 32))

    def _loop(self, node: Node, frame: _Frame) -> _Size:
        source, first, condition, step, result = node.parts
        items, start = self.size(source, frame), self.size(first, frame)
        count = min(items.count, MAX_ITERATIONS)
        item = _Size(items.size / (count or 1), items.size / (count or 1) / 2, items.most)
        outer = {name: _Size(size.most, size.most / 2, size.most) for name, size in frame.names.items()}
        names = {**outer, **dict.fromkeys(node.binds[:-1], item), node.binds[-1]: _Size(0, 0, 0)}
        within = _Frame(names, min(frame.times * count, MAX_ITERATIONS))
        self.size(condition, within)
        grown = self.size(step, within)
        made = _Size(count * grown.size, count * grown.count, count * grown.size * _spread(items))
        self._spend(_ITEM * made.count * within.times / 2)
        accumulated = {**frame.names, node.binds[-1]: _total([start, made])}
        return self.size(result, replace(frame, names=accumulated))

    def _copy(self, size: _Size, frame: _Frame) -> _Size:
        self._spend(size.size * frame.times)
        return size

    def _spend(self, work: float) -> None:
        self.work += work
        if self.work > MAX_WORK:
            raise WorkError("it would copy or compare too much in its loops")


def _total(parts: list[_Size]) -> _Size:
    size, count = sum(part.size for part in parts), sum(part.count for part in parts)
    return _Size(size, count, sum(part.most for part in parts))


def _part(whole: _Size) -> _Size:
    """Anything that is part of a value; each item takes at least two bytes of it."""
    return _Size(whole.size, whole.size / 2, whole.most)


def _spread(size: _Size) -> float:
    return max(1.0, size.most / size.size) if size.size else 1.0
