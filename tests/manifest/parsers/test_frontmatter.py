"""Markdown frontmatter: the fence, the mapping within, and the prompt behind."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.manifest.diagnostics import render_text
from headgate.manifest.parsers import parse


@pytest.mark.parametrize(
    ("text", "body", "prompt", "line"),
    [
        ("---\na: 1\n---\nHello\n", {"a": 1}, "Hello\n", 4),
        ("---\r\na: 1\r\n---\r\n\r\nHello\r\nyou\r\n", {"a": 1}, "\nHello\nyou\n", 4),
        ("---\n---\nHello", {}, "Hello", 3),
        ("---\n# only a comment\n---\n", {}, "", 4),
        ("---  \na: 1\n--- \t\nx\n---\ny\n", {"a": 1}, "x\n---\ny\n", 4),
        ("---\na: |\n  ---\n  x\n---\nHello", {"a": "---\nx\n"}, "Hello", 6),
        ("---\na: 1\n---", {"a": 1}, "", 3),
        ("Hello\n---\na: 1\n---\n", {}, "Hello\n---\na: 1\n---\n", 1),
        ("----\n", {}, "----\n", 1),
        ("", {}, "", 1),
    ],
)
def test_frontmatter_and_prompt_are_split(text: str, body: dict[str, Any], prompt: str, line: int) -> None:
    """The first line opens, the next line of three dashes closes; without an opening all is prompt."""
    document, diagnostics = parse("agents/x.md", text.encode())
    assert document is not None
    assert diagnostics == []
    assert (document.body, document.prompt, document.prompt_line) == (body, prompt, line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "---\na: 1\n",
            "1:1: error[HG1001] the frontmatter that begins here is not closed; end it with a line that is exactly ---",
        ),
        ("---\n- a\n---\n", "2:1: error[HG1004] the frontmatter is not a mapping; write `key: value`"),
        ("---\nb: 1\nb: 2\n---\n", "3:1: error[HG1006] duplicate key 'b', first given on line 2; remove one of them"),
        ("---\na: 'é\n---\nit's\n", "2:4: error[HG1001] the quotation that begins here is not closed"),
        ("---\nx: é\na: \x07\n---\n", "3:4: error[HG1001] the character U+0007 may not stand in YAML"),
    ],
)
def test_findings_have_the_lines_of_the_file(text: str, line: str) -> None:
    """Positions count from the beginning of the file, not of the YAML."""
    assert render_text(parse("agents/x.md", text.encode())[1]) == f"agents/x.md:{line}"


def test_the_prompt_may_hold_what_yaml_may_not() -> None:
    """Tabs, templates and control characters of a prompt are nobody's concern here."""
    document, diagnostics = parse("agents/x.md", b"---\na: 1\n---\n\t{{ x }} \x1b @ ${env:HOME}\n")
    assert document is not None
    assert diagnostics == []
    assert document.prompt == "\t{{ x }} \x1b @ ${env:HOME}\n"
