"""Documents: where keys, values, and characters inside of values are."""

from __future__ import annotations

import pytest

from headgate.core.kind import Key
from headgate.manifest.parsers import parse
from headgate.manifest.source import Document, Problem, Span, place

YAML = """\
# a comment
kind: http
request:
  "method": GET
  headers: {accept: 'a/b', "é": "x"}
steps:
  - name: one
  - name: two
    args: [1, [2, 3]]
shared: &s {deep: 1}
again: *s
"""

TOML = """\
#:schema ./x
version = 1
dotted.key."with space" = "x"

[server]
host = '127.0.0.1'   # why
limits = {body = "4MiB", n.m = [1, {z = 2}]}

[[rule]]
name = "é1"
[rule.sub]
k = 1

[[rule]]
name = "b"
list = [
  "one",
  # between
  "two",
]
"""

MARKDOWN = """\
---
model: fast
tools: [a, b]
---
You are {{ nmae }}.
Second línea.
"""


def read(path: str, text: str) -> Document:
    """The document of a text that has nothing wrong with it."""
    document, diagnostics = parse(path, text.encode())
    assert document is not None
    assert diagnostics == []
    return document


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("kind",), (2, 1), (2, 7)),
        (("request",), (3, 1), (4, 3)),
        (("request", "method"), (4, 3), (4, 13)),
        (("request", "headers", "accept"), (5, 13), (5, 21)),
        (("request", "headers", "é"), (5, 28), (5, 33)),
        (("steps", 0), (7, 5), (7, 5)),
        (("steps", 1, "name"), (8, 5), (8, 11)),
        (("steps", 1, "args", 1, 0), (9, 16), (9, 16)),
        (("shared",), (10, 1), (10, 12)),
        (("again",), (11, 1), (11, 8)),
        (("again", "deep"), (10, 13), (10, 19)),
    ],
)
def test_yaml_positions(path: Key, key: tuple[int, int], value: tuple[int, int]) -> None:
    """Keys and values of mappings, lists, flow and aliases are where they are written."""
    document = read("tools/x.yaml", YAML)
    assert document.key_span(path) == key
    assert document.value_span(path) == value


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("version",), (2, 1), (2, 11)),
        (("dotted",), (3, 1), (3, 1)),
        (("dotted", "key", "with space"), (3, 12), (3, 27)),
        (("server",), (5, 2), (5, 2)),
        (("server", "host"), (6, 1), (6, 8)),
        (("server", "limits", "body"), (7, 11), (7, 18)),
        (("server", "limits", "n", "m"), (7, 28), (7, 32)),
        (("server", "limits", "n", "m", 1, "z"), (7, 37), (7, 41)),
        (("rule",), (9, 3), (9, 3)),
        (("rule", 0), (9, 1), (9, 1)),
        (("rule", 0, "name"), (10, 1), (10, 8)),
        (("rule", 0, "sub"), (11, 7), (11, 7)),
        (("rule", 0, "sub", "k"), (12, 1), (12, 5)),
        (("rule", 1), (14, 1), (14, 1)),
        (("rule", 1, "list", 1), (19, 3), (19, 3)),
    ],
)
def test_toml_positions(path: Key, key: tuple[int, int], value: tuple[int, int]) -> None:
    """Tables, arrays of tables, dotted and quoted keys, inline tables and arrays are where they are written."""
    document = read("gateway.toml", TOML)
    assert document.key_span(path) == key
    assert document.value_span(path) == value


def test_frontmatter_positions_count_from_the_beginning_of_the_file() -> None:
    """The line of the opening fence counts."""
    document = read("agents/x.md", MARKDOWN)
    assert document.key_span(("tools",)) == (3, 1)
    assert document.value_span(("tools", 1)) == (3, 12)
    assert document.prompt_line == 5


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((), (1, 1)),
        (("nothing",), (1, 1)),
        (("request", "url"), (3, 1)),
        (("request", "url", "deeper", 3), (3, 1)),
        (("steps", 0, "when"), (7, 5)),
        (("steps", 7), (6, 1)),
    ],
)
def test_what_is_missing_is_placed_at_the_nearest_ancestor(path: Key, expected: tuple[int, int]) -> None:
    """A missing key is blamed on the key of the mapping that lacks it, and at last on 1:1."""
    document = read("tools/x.yaml", YAML)
    assert document.key_span(path) == expected
    assert document.value_span(path) == expected
    assert document.locate(path, 4) == expected


@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ("k: a.nmae", 2, (1, 6)),
        ("k: é🎉x", 2, (1, 6)),
        ("k: 'a.nmae'", 2, (1, 7)),
        ("k: 'it''s x'", 5, (1, 11)),
        ('k: "a.nmae"', 2, (1, 7)),
        (r'k: "a\"b\u00e9c"', 4, (1, 15)),
        ("k: |\n  one\n\n  two x", 9, (4, 7)),
        ("k: |2\n   one\n  two", 5, (3, 3)),
        ("k: |-\n    é one", 2, (2, 7)),
        ("k: |\n  one\nnext: 1", 4, (1, 4)),
        ("k: >\n  one\n  two", 5, (1, 4)),
        ("k: one\n  two", 5, (1, 4)),
        ('k: "one\n  two"', 5, (1, 4)),
        ("k: &a value", 2, (1, 9)),
        ("k: 30", 0, (1, 4)),
        ("k: |\r\n  one\r\n  two x\r\n", 8, (3, 7)),
    ],
)
def test_characters_inside_yaml_scalars(text: str, offset: int, expected: tuple[int, int]) -> None:
    """Every style of scalar is seen through; behind a folded line break it is where the value begins."""
    document, diagnostics = parse("x.yaml", text.encode())
    assert document is not None
    assert diagnostics == []
    assert document.locate(("k",), offset) == expected


@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ('k = "a.nmae"', 2, (1, 8)),
        ('k = "é\\"b"', 2, (1, 9)),
        ('k = "\\U0001F389b"', 1, (1, 16)),
        ("k = 'a\\b.c'", 3, (1, 9)),
        ('k = """\none\ntwo x"""', 8, (3, 5)),
        ('k = """one\ntwo x"""', 8, (2, 5)),
        ('k = """one \\\n  two"""', 6, (1, 5)),
        ("k = '''\none\n\\two'''", 6, (3, 3)),
        ('k = """\r\none\r\ntwo x"""\r\n', 8, (3, 5)),
        ("k = 30", 0, (1, 5)),
    ],
)
def test_characters_inside_toml_strings(text: str, offset: int, expected: tuple[int, int]) -> None:
    """Basic, literal and multi-line strings are seen through; behind a line continuation it is the beginning."""
    assert read("x.toml", text).locate(("k",), offset) == expected


def test_an_alias_of_a_scalar_is_located_where_the_alias_stands() -> None:
    """Characters of an aliased scalar are all at the alias."""
    assert read("x.yaml", "a: &a some text\nk: *a\n").locate(("k",), 5) == (2, 4)


@pytest.mark.parametrize(("find", "expected"), [("You", (5, 1)), ("nmae", (5, 12)), ("línea", (6, 8))])
def test_characters_of_a_prompt_are_located(find: str, expected: tuple[int, int]) -> None:
    """Offsets into the prompt give lines and columns of the whole file."""
    document = read("agents/x.md", MARKDOWN)
    assert document.prompt is not None
    assert document.locate_prompt(document.prompt.index(find)) == expected


def test_a_problem_is_reported_with_the_documents_path() -> None:
    """An offset becomes a line and a column of the document."""
    found = read("x.yaml", "a: 1\nb: 2\n").report(Problem(8, "HG1004", "wrong", "mend", "warning"))
    assert str(found) == "x.yaml:2:4: warning[HG1004] wrong; mend"


def test_only_line_feeds_end_lines() -> None:
    """Characters that some readers take for line ends count as columns, as they do in editors."""
    assert place("a\u2028b\nc", 2) == Span(1, 3)
    assert place("a\u2028b\nc", 4) == Span(2, 1)


def test_the_text_of_a_document_is_not_shown() -> None:
    """What a document's file says besides its data stays out of logs."""
    assert "a comment" not in repr(read("x.yaml", YAML))
