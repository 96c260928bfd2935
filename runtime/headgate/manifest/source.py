"""A parsed file: its data and the place of every key and value in its text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from headgate.core.kind import Key, Severity
from headgate.manifest.diagnostics import Diagnostic

Format = Literal["toml", "yaml", "markdown", "json"]
Style = Literal["plain", "single", "double", "verbatim", "multiline", "multiline_verbatim", "block", "other"]

MAX_PROBLEMS = 100
"""How many problems of one file are reported; placing each costs a look through the text before it."""

_UNITS: dict[Style, tuple[int, re.Pattern[str]]] = {
    "plain": (0, re.compile(r"[^\n]")),
    "single": (1, re.compile(r"''|[^'\n]")),
    "double": (1, re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[^xuU\n])|[^\\\n]")),
    "verbatim": (1, re.compile(r"[^\n]")),
    "multiline": (3, re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[^xuU\s])|[^\\]")),
    "multiline_verbatim": (3, re.compile(r"(?s:.)")),
}
"""By style of scalar: the length of the opening quote, and the source text that makes one character of the value.
A line break that a style folds away matches nothing, so that positions after it fall back."""


class Span(NamedTuple):
    """A place in a file; both count from 1, the column in characters."""

    line: int
    column: int


@dataclass(slots=True)
class Node:
    """The place of one value: `start` is a character offset into the text, `keys` holds those of a mapping's keys."""

    start: int
    style: Style = "other"
    keys: dict[str, int] = field(default_factory=dict)
    children: dict[str | int, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding at a character offset, before it has a file."""

    offset: int
    code: str
    message: str
    hint: str = ""
    severity: Severity = "error"


@dataclass(slots=True)
class Loaded:
    """What a parser makes of a text; `body` means nothing when `readable` is false."""

    body: Any = None
    node: Node = field(default_factory=lambda: Node(0))
    problems: list[Problem] = field(default_factory=list)
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed file.

    `path` is posix and relative to the tree. `body` is plain JSON data that all holders share and none may change.
    `digest` is the SHA-256 of the file's bytes, in hexadecimal. `prompt` is the Markdown after the frontmatter, as it
    is written, from line `prompt_line` on; None in other formats. Line ends are `\\n` throughout. Of a document that is
    made of several files, places count on through all of them: `spot` says in which they are. `parts` are documents
    that stand in the body at the keys below which each is found; what is in them is placed there.
    """

    path: str
    format: Format
    body: Any
    digest: str
    prompt: str | None = None
    prompt_line: int = 1
    parts: Mapping[Key, Document] = field(default_factory=dict, repr=False)
    _text: str = field(default="", repr=False, compare=False)
    _root: Node = field(default_factory=lambda: Node(0), repr=False, compare=False)
    _parts: tuple[tuple[int, str], ...] = field(default=(), repr=False, compare=False)

    @property
    def text(self) -> str:
        """The whole text."""
        return self._text

    @property
    def root(self) -> Node:
        """The place of the body."""
        return self._root

    def spot(self, span: Span) -> tuple[str, Span]:
        """The file that a place of this document is in, and the place there."""
        for first, path in reversed(self._parts):
            if span.line >= first:
                return path, Span(span.line - first + 1, span.column)
        return self.path, span

    def spot_of(self, offset: int) -> tuple[str, Span]:
        """The same of a character offset into the text."""
        return self.spot(place(self._text, offset))

    def home(self, path: Key) -> tuple[Document, Key]:
        """The document in which the key stands, itself unless it is in one of the parts, and its path there."""
        for key, part in self.parts.items():
            if path[: len(key)] == key:
                return part, path[len(key) :]
        return self, path

    def key_span(self, path: Key) -> Span:
        """Where the key is written; the nearest existing ancestor's place when it is not there."""
        parent, found = self._find(path[:-1])
        if path and found and isinstance(path[-1], str) and path[-1] in parent.keys:
            return place(self._text, parent.keys[path[-1]])
        return self.value_span(path) if found else self.key_span(path[:-1])

    def value_span(self, path: Key) -> Span:
        """Where the value begins; the nearest existing ancestor's key when it is not there, at last 1:1."""
        if not path:
            return Span(1, 1)
        node, found = self._find(path)
        if found:
            return place(self._text, node.start)
        return self.key_span(path[:-1])

    def locate(self, path: Key, offset: int) -> Span:
        """Where character `offset` of the scalar at `path` is written.

        Quotes, escapes and literal blocks are seen through; behind a folded line break it is where the value begins.
        """
        node, found = self._find(path)
        if not path or not found:
            return self.value_span(path)
        if node.style == "block":
            return place(self._text, _in_block(self._text, node.start, self._scalar(path), offset))
        return place(self._text, _in_scalar(self._text, node, offset))

    def locate_prompt(self, offset: int) -> Span:
        """Where character `offset` of the prompt is written."""
        inside = place(self.prompt or "", offset)
        return Span(self.prompt_line + inside.line - 1, inside.column)

    def report(self, problem: Problem) -> Diagnostic:
        """The problem as a diagnostic of this file."""
        return report(self.path, self._text, problem)

    def _find(self, path: Key) -> tuple[Node, bool]:
        """The node at `path` and True, or its nearest existing ancestor and False."""
        node = self._root
        for part in path:
            below = node.children.get(part)
            if below is None:
                return node, False
            node = below
        return node, True

    def _scalar(self, path: Key) -> str:
        value = self.body
        for part in path:
            value = value[part]
        return str(value)


def report(path: str, text: str, problem: Problem) -> Diagnostic:
    """The problem as a diagnostic of the file `path` that holds `text`."""
    line, column = place(text, problem.offset)
    return Diagnostic(path, line, column, problem.severity, problem.code, problem.message, problem.hint)


def place(text: str, offset: int) -> Span:
    """The line and column of a character offset; only `\\n` ends a line."""
    return Span(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def _in_scalar(text: str, node: Node, offset: int) -> int:
    if node.style not in _UNITS:
        return node.start
    quote, unit = _UNITS[node.style]
    at = node.start + quote
    if quote == 3 and text.startswith("\n", at):  # TOML drops a line break right after the opening quotes
        at += 1
    for _ in range(offset):
        match = unit.match(text, at)
        if match is None:
            return node.start
        at = match.end()
    return at


def _in_block(text: str, start: int, value: str, offset: int) -> int:
    """The offset in a YAML literal block: each line of the value is a line of the text, indented."""
    row = value.count("\n", 0, offset)
    column = offset - value.rfind("\n", 0, offset) - 1
    lines = text[start:].split("\n")[1:]
    values = value.split("\n")
    indent = next((len(raw) - len(line) for raw, line in zip(lines, values, strict=False) if line), 0)
    if row >= len(lines) or lines[row][indent:] != values[row]:
        return start
    begin = start + sum(len(line) + 1 for line in text[start:].split("\n", row + 1)[: row + 1])
    return begin + min(indent + column, len(lines[row]))
