"""Markdown with YAML between two `---` lines at its beginning."""

from __future__ import annotations

import re
from dataclasses import dataclass

from headgate.manifest.source import Loaded, Problem

_OPEN = re.compile(r"---[ \t]*(?:\n|\Z)")
_CLOSE = re.compile(r"^---[ \t]*(?:\n|\Z)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Parts:
    """Character offsets: the YAML is `text[begin:end]`, the prompt `text[prompt:]`."""

    begin: int
    end: int
    prompt: int


def split(text: str) -> Parts | Problem:
    """Where frontmatter and prompt are; a text that does not begin with `---` is all prompt."""
    opening = _OPEN.match(text)
    if opening is None:
        return Parts(0, 0, 0)
    closing = _CLOSE.search(text, opening.end())
    if closing is None:
        hint = "end it with a line that is exactly ---"
        return Problem(0, "HG1001", "the frontmatter that begins here is not closed", hint)
    return Parts(opening.end(), closing.start(), closing.end())


def table(loaded: Loaded, parts: Parts) -> Loaded:
    """The frontmatter as a mapping: an empty one has no keys, anything else is refused."""
    if loaded.body is None:
        loaded.body = {}
    if loaded.readable and not isinstance(loaded.body, dict):
        loaded.readable = False
        loaded.problems.append(Problem(parts.begin, "HG1004", "the frontmatter is not a mapping", "write `key: value`"))
    return loaded
