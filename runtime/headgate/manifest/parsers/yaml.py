"""YAML with the 1.2 core schema, JSON values only, and the place of everything."""

from __future__ import annotations

import re
from typing import Any

import yaml

from headgate.manifest import traps
from headgate.manifest.scalars import Unfit, resolve
from headgate.manifest.source import MAX_PROBLEMS, Loaded, Node, Problem, Style, place

MAX_DEPTH = 64
MAX_EXPANDED = 10_000
"""The number of values that all aliases of a file may stand for together."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times faster but may be missing

# YAML 1.2.2 §5.1: characters outside the printable set may not stand in a file; the parsers would say so without place.
_UNPRINTABLE = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_ANCHOR = re.compile(r"&\S+\s*")
_STYLES: dict[str | None, Style] = {"'": "single", '"': "double", "|": "block", ">": "other"}


def load(text: str, begin: int = 0, end: int | None = None) -> Loaded:
    """The one document in `text[begin:end]`; offsets count from the beginning of `text`."""
    bad = _UNPRINTABLE.search(text, begin, len(text) if end is None else end)
    if bad is not None:
        problem = Problem(bad.start(), "HG1001", f"the character U+{ord(bad[0]):04X} may not stand in YAML")
        return Loaded(problems=[problem], readable=False)
    builder = _Builder(text, begin, end)
    try:
        body, node = builder.document()
    except _Refused as refused:
        return Loaded(problems=[*builder.problems, refused.problem], readable=False)
    except yaml.YAMLError as error:
        return Loaded(problems=[*builder.problems, _syntax(text, begin, error)], readable=False)
    return Loaded(body, node, builder.problems)


class _Refused(yaml.YAMLError):
    """Well-formed YAML that no manifest may hold and that nothing can stand in for."""

    def __init__(self, offset: int, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.problem = Problem(offset, code, message, hint)


class _Builder:
    """Turns the parser's events into plain data and positions, in one walk.

    Events rather than nodes, because the composer recurses in C: deep nesting would end the process.
    """

    def __init__(self, text: str, begin: int, end: int | None) -> None:
        self.text = text
        self.begin = begin
        self.events = _Loader(text[begin:end])
        self.problems: list[Problem] = []
        self.anchors: dict[str, tuple[Any, Node, int]] = {}
        self.values = 0
        self.expanded = 0

    def document(self) -> tuple[Any, Node]:
        """The data and positions of the only document; None for an empty text."""
        self.events.get_event()
        if isinstance(self.events.get_event(), yaml.StreamEndEvent):
            return None, Node(self.begin)
        found = self._value(self.events.get_event(), "", 0)
        self.events.get_event()
        after = self.events.get_event()
        if not isinstance(after, yaml.StreamEndEvent):
            raise _Refused(self._start(after), "HG1008", "a second YAML document begins here", "one file, one document")
        return found

    def _value(self, event: Any, key: str, depth: int) -> tuple[Any, Node]:
        start = self._start(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, start, depth)
        if event.tag is not None:
            raise _tagged(start, key)
        if depth > MAX_DEPTH:
            raise _Refused(start, "HG1008", f"nested more than {MAX_DEPTH} levels deep")
        if event.anchor is not None:
            start = self._past(start)
        before, self.values = self.values, self.values + 1
        value, node = self._content(event, start, key, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, node, self.values - before)
        return value, node

    def _content(self, event: Any, start: int, key: str, depth: int) -> tuple[Any, Node]:
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(start, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(start, depth)
        return self._scalar(event, start, key)

    def _mapping(self, start: int, depth: int) -> tuple[dict[str, Any], Node]:
        node = Node(start)
        body: dict[str, Any] = {}
        event = self.events.get_event()
        while not isinstance(event, yaml.MappingEndEvent):
            name = self._key(event, depth)
            value, child = self._value(self.events.get_event(), name or "", depth + 1)
            if name in node.keys:
                self._repeated(event, name, node)
            elif name is not None:
                body[name] = value
                node.keys[name] = self._start(event)
                node.children[name] = child
            event = self.events.get_event()
        return body, node

    def _key(self, event: Any, depth: int) -> str | None:
        """The key, or None when it is not a string (which is reported)."""
        start = self._start(event)
        if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and not event.style:
            raise _Refused(start, "HG1008", "merge keys (<<) are not supported", "write the keys out")
        found = len(self.problems)
        name, _ = self._value(event, "", depth + 1)
        if isinstance(name, str):
            return name
        del self.problems[found:]  # a key that is refused as a whole needs no findings within
        self.problems.append(self._not_string(event, start))
        return None

    def _not_string(self, event: Any, start: int) -> Problem:
        if self.text.startswith("{{", start - 1):
            return Problem(start - 1, "HG1009", "YAML reads {{ as two mappings", "quote the template")
        hint = f"quote it: '{event.value}'" if isinstance(event, yaml.ScalarEvent) and event.value else ""
        return Problem(start, "HG1004", "keys must be strings", hint)

    def _repeated(self, event: Any, name: str, node: Node) -> None:
        if len(self.problems) >= MAX_PROBLEMS:
            return
        line = place(self.text, node.keys[name]).line
        message = f"duplicate key '{name}', first given on line {line}"
        self.problems.append(Problem(self._start(event), "HG1006", message, "remove one of them"))

    def _sequence(self, start: int, depth: int) -> tuple[list[Any], Node]:
        node = Node(start)
        body: list[Any] = []
        event = self.events.get_event()
        while not isinstance(event, yaml.SequenceEndEvent):
            value, node.children[len(body)] = self._value(event, "", depth + 1)
            body.append(value)
            event = self.events.get_event()
        return body, node

    def _scalar(self, event: Any, start: int, key: str) -> tuple[Any, Node]:
        if event.style:
            return event.value, Node(start, _STYLES[event.style])
        if key in traps.EXPRESSIONS and event.value:
            self.problems.extend(traps.cut(self.text, self.begin + event.end_mark.index))
        value = resolve(event.value)
        if isinstance(value, Unfit):
            self.problems.append(Problem(start, "HG1004", value.message, value.hint))
            value = 0
        return value, Node(start, "plain")

    def _alias(self, event: Any, start: int, depth: int) -> tuple[Any, Node]:
        if event.anchor not in self.anchors:
            raise _Refused(
                start, *traps.explain(self.text, start, f"the alias *{event.anchor} has no anchor before it")
            )
        value, node, size = self.anchors[event.anchor]
        self.values += size
        self.expanded += size
        if self.expanded > MAX_EXPANDED:
            raise _Refused(start, "HG1008", f"the aliases of this file stand for more than {MAX_EXPANDED} values")
        if depth + _height(value) > MAX_DEPTH:
            raise _Refused(start, "HG1008", f"nested more than {MAX_DEPTH} levels deep")
        return value, Node(start, keys=node.keys, children=node.children)

    def _start(self, event: Any) -> int:
        return self.begin + int(event.start_mark.index)

    def _past(self, start: int) -> int:
        anchor = _ANCHOR.match(self.text, start)
        return anchor.end() if anchor else start


def _height(value: Any) -> int:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((1 + _height(each) for each in below), default=0)


def _tagged(start: int, key: str) -> _Refused:
    if key in traps.EXPRESSIONS:
        return _Refused(start, "HG1009", "YAML reads the '!' that begins this expression as a tag", traps.QUOTE)
    return _Refused(start, "HG1008", "YAML tags are not supported", "remove the tag, or quote the value")


def _syntax(text: str, begin: int, error: yaml.YAMLError) -> Problem:
    """The parser's complaint at its place; one that is noticed too late is put where its cause begins."""
    mark = getattr(error, "problem_mark", None)
    cause = getattr(error, "context_mark", None)
    said = str(getattr(error, "problem", None) or "this is not YAML")
    if cause is not None and said.startswith(("found unexpected end of stream", "could not find expected ':'")):
        mark = cause
    offset = begin + (mark.index if mark is not None else 0)
    if said.startswith("exceeded maximum nesting depth"):  # newer libyaml gives up by itself
        return Problem(offset, "HG1008", f"nested more than {MAX_DEPTH} levels deep")
    return Problem(offset, *traps.explain(text, offset, said))
