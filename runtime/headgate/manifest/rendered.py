"""Data that was never a file, written out as one, so that findings in it have a place."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from headgate.manifest.source import Document, Node

_INDENT = 2


def rendered(path: str, body: Any) -> Document:
    """The document that `body`, plain JSON data, is when it is written as indented JSON; `path` is what it is called.

    It is written as `json.dumps(body, indent=2, ensure_ascii=False)` writes it.
    """
    writer = _Writer()
    root = writer.value(body, 0)
    text = "".join(writer.parts)
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Document(path, "json", body, digest, _text=text, _root=root)


class _Writer:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self._length = 0

    def _put(self, text: str) -> None:
        self.parts.append(text)
        self._length += len(text)

    def value(self, value: Any, depth: int) -> Node:
        """Writes a value; where it stands."""
        node = Node(self._length, "double" if isinstance(value, str) else "other")
        if isinstance(value, dict) and value:
            self._between("{}", depth, [(key, each) for key, each in value.items()], node)
        elif isinstance(value, list) and value:
            self._between("[]", depth, list(enumerate(value)), node)
        else:
            self._put(json.dumps(value, ensure_ascii=False))
        return node

    def _between(self, brackets: str, depth: int, items: list[tuple[Any, Any]], node: Node) -> None:
        inside, outside = "\n" + " " * _INDENT * (depth + 1), "\n" + " " * _INDENT * depth
        self._put(brackets[0])
        for n, (key, value) in enumerate(items):
            self._put(f"{',' if n else ''}{inside}")
            if isinstance(key, str):
                node.keys[key] = self._length
                self._put(f"{json.dumps(key, ensure_ascii=False)}: ")
            node.children[key] = self.value(value, depth + 1)
        self._put(f"{outside}{brackets[1]}")
