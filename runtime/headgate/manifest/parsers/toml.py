"""TOML: the standard library says what a file means, a syntax tree says where."""

from __future__ import annotations

import datetime
import re
import tomllib
from bisect import bisect_left
from typing import Any

import tree_sitter_toml
from tree_sitter import Language, Parser
from tree_sitter import Node as Syntax

from headgate.manifest.scalars import Unfit, number
from headgate.manifest.source import MAX_PROBLEMS, Loaded, Node, Problem, Style, place

MAX_DEPTH = 64

_LANGUAGE = Language(tree_sitter_toml.language())
_AT = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_LONG = re.compile(r"[0-9][0-9_]{4300,}")
_REPEATED = ("Cannot overwrite", "Cannot declare", "Duplicate inline table key", "Cannot mutate immutable")
_STYLES: dict[bytes, Style] = {b'"': "double", b"'": "verbatim", b'"""': "multiline", b"'''": "multiline_verbatim"}
_KEYS = ("bare_key", "quoted_key", "dotted_key")
_DATES = (datetime.datetime, datetime.date, datetime.time)


def load(text: str) -> Loaded:
    """The data of a TOML text and the place of every key and value."""
    places = _Places(text)
    if places.too_deep is not None:
        problem = Problem(places.too_deep, "HG1008", f"nested more than {MAX_DEPTH} levels deep")
        return Loaded(problems=[problem], readable=False)
    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Loaded(problems=_syntax(text, str(error), places), readable=False)
    except RecursionError:  # only where the text is so broken that the syntax tree does not show its depth
        return Loaded(problems=[Problem(0, "HG1008", f"nested more than {MAX_DEPTH} levels deep")], readable=False)
    except ValueError:  # Python refuses to read integers of more than 4300 digits
        long = _LONG.search(text)
        problem = Problem(long.start() if long else 0, "HG1004", "the integer does not fit 64 bits", "quote it")
        return Loaded(problems=[problem], readable=False)
    problems: list[Problem] = []
    return Loaded(_plain(body, places.root, problems), places.root, problems)


def _plain(value: Any, node: Node, problems: list[Problem]) -> Any:
    """The value with harmless stand-ins for what JSON does not have, which is reported."""
    if isinstance(value, dict):
        return {key: _plain(each, node.children.get(key, node), problems) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, node.children.get(index, node), problems) for index, each in enumerate(value)]
    if isinstance(value, _DATES):
        problems.append(Problem(node.start, "HG1004", "manifests have no dates or times", "quote it"))
        return value.isoformat()
    fit = number(value) if isinstance(value, (int, float)) else value
    if isinstance(fit, Unfit):
        problems.append(Problem(node.start, "HG1004", fit.message, fit.hint))
        return 0
    return fit


def _syntax(text: str, said: str, places: _Places) -> list[Problem]:
    if said.startswith(_REPEATED) and places.repeated:
        return places.repeated
    at = _AT.search(said)
    message = _AT.sub("", said)
    offset = len(text.rstrip())
    if at is not None and at[1] is not None:
        offset = sum(len(line) + 1 for line in text.split("\n")[: int(at[1]) - 1]) + int(at[2]) - 1
    offset = min(offset, len(text))
    if said.startswith(_REPEATED):
        return [Problem(offset, "HG1006", "this key or table is given twice", "remove one of them")]
    hint = "strings need quotation marks" if message == "Invalid value" and text[offset : offset + 1].isalpha() else ""
    return [Problem(offset, "HG1001", message[:1].lower() + message[1:], hint)]


class _Places:
    """Walks the syntax tree; `root` is what it found, whether or not the text is well-formed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root = Node(0)
        self.too_deep: int | None = None
        self.repeated: list[Problem] = []
        self.headers: set[int] = set()
        data = text.encode()
        # Bytes that begin no character: how many come before an offset is how far bytes and characters differ.
        self.continuations = [] if text.isascii() else [at for at, byte in enumerate(data) if byte & 0xC0 == 0x80]
        for syntax in Parser(_LANGUAGE).parse(data).root_node.named_children:
            if syntax.type in ("table", "table_array_element"):
                self._table(syntax)
            else:
                self._pair(syntax, self.root, 0)

    def _offset(self, syntax: Syntax) -> int:
        return syntax.start_byte - bisect_left(self.continuations, syntax.start_byte)

    def _table(self, syntax: Syntax) -> None:
        header, *pairs = syntax.named_children
        if header.has_error or header.type not in _KEYS:
            return
        keys = self._keys(header)
        if len(keys) > MAX_DEPTH:
            self.too_deep = self._offset(header)
            return
        node = self._below(self.root, keys[:-1])
        name, start = keys[-1]
        if syntax.type == "table":
            node = self._header(node, name, start)
        else:
            node = self._element(node, name, start, self._offset(syntax))
        for pair in pairs:
            self._pair(pair, node, len(keys))

    def _header(self, parent: Node, name: str, start: int) -> Node:
        node = parent.children.get(name)
        if node is None:
            node = parent.children[name] = Node(start)
        elif id(node) in self.headers:
            self._twice(name, parent, start)
            return node
        self.headers.add(id(node))
        parent.keys[name] = node.start = start  # the header is a better place than a sub-table that came before it
        return node

    def _element(self, parent: Node, name: str, key: int, start: int) -> Node:
        array = self._child(parent, name, key)
        return array.children.setdefault(len(array.children), Node(start))

    def _below(self, node: Node, keys: list[tuple[str, int]]) -> Node:
        """The table at a path of keys; the path goes through the last element of an array of tables."""
        for name, start in keys:
            node = self._child(node, name, start)
            last = len(node.children) - 1
            if last >= 0 and not node.keys and last in node.children:
                node = node.children[last]
        return node

    def _child(self, parent: Node, name: str, start: int) -> Node:
        parent.keys.setdefault(name, start)
        return parent.children.setdefault(name, Node(start))

    def _pair(self, syntax: Syntax, parent: Node, depth: int) -> None:
        if syntax.type != "pair" or syntax.has_error:
            return
        parts = [each for each in syntax.named_children if each.type != "comment"]
        keys = self._keys(parts[0])
        depth += len(keys)
        if depth > MAX_DEPTH:
            self.too_deep = self._offset(syntax)
            return
        for name, start in keys[:-1]:
            parent = self._child(parent, name, start)
        name, start = keys[-1]
        if name in parent.keys:
            self._twice(name, parent, start)
            return
        parent.keys[name] = start
        parent.children[name] = self._value(parts[-1], depth)

    def _twice(self, name: str, parent: Node, start: int) -> None:
        if len(self.repeated) >= MAX_PROBLEMS:
            return
        line = place(self.text, parent.keys[name]).line
        message = f"duplicate key '{name}', first given on line {line}"
        self.repeated.append(Problem(start, "HG1006", message, "remove one of them"))

    def _value(self, syntax: Syntax, depth: int) -> Node:
        node = Node(self._offset(syntax))
        if depth > MAX_DEPTH:
            self.too_deep = node.start
        elif syntax.type == "string":
            node.style = _STYLES.get(syntax.children[0].text or b"", "other")
        elif syntax.type == "inline_table":
            for pair in syntax.named_children:
                self._pair(pair, node, depth)
        elif syntax.type == "array":
            items = [each for each in syntax.named_children if each.type != "comment"]
            node.children = {index: self._value(item, depth + 1) for index, item in enumerate(items)}
        return node

    def _keys(self, syntax: Syntax) -> list[tuple[str, int]]:
        """The parts of a key with their offsets; a dotted key nests to the left, as deep as it is long."""
        found: list[tuple[str, int]] = []
        while syntax.type == "dotted_key":
            first, *_, last = syntax.named_children
            found.append((_name(last), self._offset(last)))
            syntax = first
        found.append((_name(syntax), self._offset(syntax)))
        return found[::-1]


def _name(syntax: Syntax) -> str:
    raw = (syntax.text or b"").decode()
    if syntax.type != "quoted_key":
        return raw
    try:
        return next(iter(tomllib.loads(f"{raw} = 0")))
    except tomllib.TOMLDecodeError:
        return raw  # the whole text is refused for it
