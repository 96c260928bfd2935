"""Where a pattern of a manifest matches: found with work that is bounded by the length of the text.

Python's own engine goes back over the text it has seen, which some patterns make exponential. This one follows all ways
through the pattern at once, as Thompson did (Regular expression search algorithm, CACM 11(6), 1968), and remembers the
sets of ways that it has seen. What patterns may say is what RE2 and Python's parser agree on; classes such as `\\d`
and `\\w` are those of ASCII, as RE2 has them.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Literal

from pydantic_core import PydanticCustomError

MAX_NODES = 4000
"""Steps of one pattern, counted repetitions written out."""
LONGEST = 256
"""Characters of the longest match that is looked for."""
_REMEMBERED = 20_000
_WORK = 8
_SPARE = 50_000
"""Steps for each character of a text, and for a text at all."""


class TooMuchWork(Exception):
    """The text was made so that the pattern nearly matches at each of its places."""


Test = Callable[[str], bool]
Before = Literal["start", "line", "word", "other"]
_BEFORE: tuple[Before, ...] = ("start", "line", "word", "other")


@dataclass(frozen=True, slots=True)
class _Node:
    """One step: a character that passes `test`, a place that `at` names, or a fork; `after` are the next nodes."""

    after: tuple[int, ...]
    test: Test | None = None
    at: str = ""


@dataclass(slots=True)
class _State:
    """All ways that are open behind what was read; `steps` are the states that characters lead to."""

    nodes: frozenset[int]
    before: Before
    steps: dict[str, tuple[_State | None, bool]] = field(default_factory=dict)


class Automaton:
    """One pattern; `spans` gives the longest match at each place, from left to right."""

    def __init__(self, source: str) -> None:
        """Raises `PydanticCustomError("pattern")` for what a pattern cannot say."""
        self._nodes: list[_Node] = [_Node(())]  # the first one is the end of a match
        self._flags = 0
        tree = _parsed(source)
        self._flags = tree.state.flags
        self._first = self._sequence(list(tree), 0)
        self._known: dict[tuple[frozenset[int], Before], _State] = {}
        self._begins: dict[str, bool] = {}
        self._size = 0
        if any(self._ends(self._state(frozenset({self._first}), before), "") for before in _BEFORE):
            raise wrong("may match nothing at all")

    def spans(self, text: str, start: int = 0) -> Iterator[tuple[int, int]]:
        """Where the pattern matches from `start` on; what stands before that counts for `\\b`. Raises `TooMuchWork`."""
        at, left = start, _SPARE + _WORK * (len(text) - start)
        while at < len(text):
            if not self._may_begin(text[at]):
                at += 1
                continue
            end, read = self._longest(text, at)
            left -= read
            if left < 0:
                raise TooMuchWork
            if end > at:
                yield at, end
            at = max(end, at + 1)

    def _may_begin(self, char: str) -> bool:
        known = self._begins.get(char)
        if known is None:
            first = frozenset({self._first})
            known = any(self._step(self._state(first, each), char)[0] is not None for each in _BEFORE)
            if len(self._begins) < _REMEMBERED:
                self._begins[char] = known
        return known

    def _longest(self, text: str, at: int) -> tuple[int, int]:
        """The end of the longest match that begins at `at`, -1 if there is none, and how many characters were read."""
        state = self._state(frozenset({self._first}), _before(text[at - 1 : at]))
        found, stop = -1, min(len(text), at + LONGEST)
        for here in range(at, stop):
            reached, ended = self._step(state, text[here])
            found = here if ended else found
            if reached is None:
                return found, here - at
            state = reached
        return stop if self._ends(state, text[stop : stop + 1]) else found, stop - at

    # -- ways through the pattern ------------------------------------------------------------------------------------

    def _state(self, nodes: frozenset[int], before: Before) -> _State:
        held = self._known.get((nodes, before))
        if held is None:
            if self._size > _REMEMBERED:
                self._known.clear()
                self._size = 0
            held = self._known[nodes, before] = _State(nodes, before)
            self._size += 1
        return held

    def _step(self, state: _State, char: str) -> tuple[_State | None, bool]:
        """The state behind one more character, and whether a match ended before it."""
        known = state.steps.get(char)
        if known is None:
            ways = self._closure(state, char)
            nodes = [each for way in ways if (test := self._nodes[way].test) and test(char)
                     for each in self._nodes[way].after]  # fmt: skip
            known = self._state(frozenset(nodes), _before(char)) if nodes else None, 0 in ways
            state.steps[char] = known
            self._size += 1
        return known

    def _ends(self, state: _State, char: str) -> bool:
        return 0 in self._closure(state, char)

    def _closure(self, state: _State, char: str) -> set[int]:
        """The nodes that can be reached without reading; `char` is the next character, empty at the end."""
        seen: set[int] = set()
        stack = list(state.nodes)
        while stack:
            each = stack.pop()
            node = self._nodes[each]
            if each in seen or (node.at and not _is_at(node.at, state.before, char)):
                continue
            seen.add(each)
            if node.test is None:
                stack.extend(node.after)
        return seen

    # -- from the parser's tree --------------------------------------------------------------------------------------

    def _add(self, node: _Node) -> int:
        if len(self._nodes) >= MAX_NODES:
            raise wrong("is too long when its repetitions are written out")
        self._nodes.append(node)
        return len(self._nodes) - 1

    def _sequence(self, items: list[Any], then: int) -> int:
        for code, argument in reversed(items):
            then = self._item(code, argument, then)
        return then

    def _item(self, code: Any, argument: Any, then: int) -> int:
        if code is sre.BRANCH:
            return self._add(_Node(tuple(self._sequence(list(each), then) for each in argument[1])))
        if code is sre.SUBPATTERN:
            _, added, removed, inner = argument
            return self._within((self._flags | added) & ~removed, list(inner), then)
        if code in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            return self._repeat(argument, then)
        if code is sre.AT:
            many = argument in (sre.AT_BEGINNING, sre.AT_END) and self._flags & re.MULTILINE
            return self._add(_Node((then,), at=f"{argument}{'_LINE' if many else ''}"))
        return self._add(_Node((then,), test=_test(code, argument, self._flags)))

    def _within(self, flags: int, items: list[Any], then: int) -> int:
        held, self._flags = self._flags, flags
        first = self._sequence(items, then)
        self._flags = held
        return first

    def _repeat(self, argument: Any, then: int) -> int:
        least, most, inner = argument
        items = list(inner)
        if most is sre.MAXREPEAT:
            loop = self._add(_Node(()))
            self._nodes[loop] = _Node((self._sequence(items, loop), then))
            then = loop
        else:
            last = then
            for _ in range(most - least):
                then = self._add(_Node((self._sequence(items, then), last)))
        for _ in range(least):
            then = self._sequence(items, then)
        return then


def _parsed(source: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # sets within sets, of which Python says that their meaning will change
        try:
            return parser.parse(source)
        except (re.error, FutureWarning, RecursionError, OverflowError) as error:
            raise wrong(f"cannot be read: {error}") from None


def _before(char: str) -> Before:
    if not char:
        return "start"
    return "line" if char == "\n" else "word" if _is_word(char) else "other"


def _is_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


def _is_at(place: str, before: Before, char: str) -> bool:
    """Whether a place is here: between what was read and the next character."""
    edge = (before == "word") != (bool(char) and _is_word(char))
    match place:
        case "AT_BEGINNING" | "AT_BEGINNING_STRING":
            return before == "start"
        case "AT_BEGINNING_LINE":
            return before in ("start", "line")
        case "AT_END" | "AT_END_STRING":
            return not char
        case "AT_END_LINE":
            return char in ("", "\n")
        case "AT_BOUNDARY":
            return edge
        case "AT_NON_BOUNDARY":
            return not edge
    raise wrong(f"holds {place}, which cannot be looked for")


_CLASSES: dict[Any, Test] = {
    sre.CATEGORY_DIGIT: lambda char: "0" <= char <= "9",
    sre.CATEGORY_NOT_DIGIT: lambda char: not "0" <= char <= "9",
    sre.CATEGORY_WORD: _is_word,
    sre.CATEGORY_NOT_WORD: lambda char: not _is_word(char),
    sre.CATEGORY_SPACE: lambda char: char in "\t\n\f\r ",
    sre.CATEGORY_NOT_SPACE: lambda char: char not in "\t\n\f\r ",
}


def _test(code: Any, argument: Any, flags: int) -> Test:
    """Whether one character is what an item of the tree asks for."""
    plain = _plain(code, argument, flags)
    if not flags & re.IGNORECASE or code is sre.ANY:
        return plain
    return lambda char: plain(char) or plain(char.lower()) or plain(char.upper())


def _plain(code: Any, argument: Any, flags: int) -> Test:
    if code is sre.LITERAL:
        wanted = chr(argument)
        return lambda char: char == wanted
    if code is sre.NOT_LITERAL:
        avoided = _both(chr(argument), flags)
        return lambda char: char not in avoided
    if code is sre.ANY:
        return (lambda _char: True) if flags & re.DOTALL else (lambda char: char != "\n")
    if code is sre.RANGE:
        low, high = map(chr, argument)
        return lambda char: low <= char <= high
    if code is sre.CATEGORY:
        return _CLASSES[argument]
    if code is sre.IN:
        negated = argument[0][0] is sre.NEGATE
        tests = [_test(each, inner, flags) for each, inner in argument[negated:]]
        if negated:
            return lambda char: not any(test(char) for test in tests)
        return lambda char: any(test(char) for test in tests)
    raise wrong(f"holds {str(code).lower().replace('_', ' ')}, which cannot be looked for")


def _both(char: str, flags: int) -> frozenset[str]:
    return frozenset({char, char.lower(), char.upper()} if flags & re.IGNORECASE else {char})


def wrong(message: str) -> PydanticCustomError:
    """The error for a pattern that cannot be used."""
    return PydanticCustomError("pattern", "the pattern {reason}", {"reason": message})
