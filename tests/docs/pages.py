"""Reads the pages of the documentation: their links, their headings, and their fenced blocks.

The info string of a block says what becomes of it:

    ```yaml title=tools/x.yaml       a whole file of a tree; it must be in order, or
    ```text findings                 (right after it) these are its findings, exactly
    ```toml title=gateway.toml add   tables that are added to the base tree's gateway.toml
    ```diff title=agents/x.md        lines that are exchanged in the running reference tree
    ```console                       commands behind `$ `, run against a live gateway, and what they print
    ```bash                          commands that set up or serve; they are not run
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_TOP = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES = sorted([*_TOP, *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*/README.md")])
_FENCE = re.compile(r"^```(?P<info>\S[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_ANY_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r"\btitle=(\S+)")
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block: `info` is all that follows the backticks."""

    page: Path
    line: int
    info: str
    text: str

    @property
    def language(self) -> str:
        return self.info.split()[0]

    @property
    def title(self) -> str:
        match = _TITLE.search(self.info)
        return match[1] if match else ""

    @property
    def added(self) -> bool:
        return self.info.endswith(" add")


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match["info"].strip(), match["text"])
        for match in _FENCE.finditer(text)
    ]


def links(page: Path) -> list[str]:
    """The targets of a page's links that lead into the repository."""
    text = _ANY_FENCE.sub("", page.read_text(encoding="utf-8"))
    return [each for each in _LINK.findall(text) if "://" not in each]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    text = _ANY_FENCE.sub("", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in _HEADING.findall(text)}


def name(page: Path) -> str:
    """The page's path from the root."""
    return page.relative_to(ROOT).as_posix()


def having(*languages: str, titled: bool) -> list[Path]:
    """The pages with at least one block of these languages."""
    return [
        page
        for page in PAGES
        if any(each.language in languages and bool(each.title) is titled for each in blocks(page))
    ]
