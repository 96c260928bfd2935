"""The table of parsers: suffixes, encodings, sizes, and the memory of what was parsed."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.manifest.diagnostics import render_text
from headgate.manifest.parsers import MAX_BYTES, Parser, parse


@pytest.mark.parametrize(
    ("path", "data", "form"),
    [
        ("gateway.toml", b"a = 1", "toml"),
        ("tools/x.yaml", b"a: 1", "yaml"),
        ("tools/x.yml", b"a: 1", "yaml"),
        ("agents/x.md", b"---\na: 1\n---\n", "markdown"),
    ],
)
def test_the_suffix_chooses_the_format(path: str, data: bytes, form: str) -> None:
    """Each suffix has its parser; the digest is that of the bytes."""
    document, diagnostics = parse(path, data)
    assert document is not None
    assert diagnostics == []
    assert (document.path, document.format, document.body) == (path, form, {"a": 1})
    assert document.digest == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("path", "data", "line"),
    [
        ("x.txt", b"a", "1:1: error[HG1002] the file is not a manifest; manifests end in .toml, .yaml, .yml, .md"),
        (
            "x.yaml",
            b"\xef\xbb\xbfa: 1",
            "1:1: error[HG1002] the file begins with a byte order mark; save it as UTF-8 without one",
        ),
        ("x.toml", b"a = 1\n# \xc3\xa9\xff", "2:4: error[HG1002] the file is not UTF-8; save it as UTF-8"),
        ("x.md", b"a\n\xc3\xa9\0", "2:2: error[HG1002] the file holds a NUL character; save it as UTF-8 text"),
        (
            "x.yaml",
            b"#" * (MAX_BYTES + 1),
            "1:1: error[HG1002] the file is larger than 1048576 bytes; split it, or keep data out of manifests",
        ),
    ],
)
def test_files_that_are_no_text_are_refused(path: str, data: bytes, line: str) -> None:
    """Unknown suffix, byte order mark, other encodings, NUL and size: one finding with a place."""
    document, diagnostics = parse(path, data)
    assert document is None
    assert render_text(diagnostics) == f"{path}:{line}"


def test_a_file_of_the_largest_size_is_read() -> None:
    """The limit itself is allowed."""
    assert parse("x.yaml", b"#" * MAX_BYTES)[1] == []


def test_the_same_file_is_parsed_once() -> None:
    """The same path and bytes give the same object; a change or another path gives another."""
    parser = Parser()
    first, _ = parser.parse("a.yaml", b"k: 1")
    assert parser.parse("a.yaml", b"k: " + b"1")[0] is first
    assert parser.parse("b.yaml", b"k: 1")[0] is not first
    assert parser.parse("a.yaml", b"k: 2")[0] is not first
    assert Parser().parse("a.yaml", b"k: 1")[0] is not first


def test_the_memory_is_bounded() -> None:
    """The oldest file is forgotten first."""
    parser = Parser(size=1)
    first, _ = parser.parse("a.yaml", b"k: 1")
    parser.parse("b.yaml", b"k: 1")
    assert parser.parse("a.yaml", b"k: 1")[0] is not first


def test_remembered_findings_cannot_be_changed_by_a_caller() -> None:
    """Each caller has its own list."""
    parser = Parser()
    parser.parse("a.yaml", b"a: 1\na: 2")[1].clear()
    assert len(parser.parse("a.yaml", b"a: 1\na: 2")[1]) == 1


TEXTS = st.text(st.sampled_from("ab:= -[]{}\"'\n\r\t|>&*!%@`#,.1é~?<\\$"), max_size=40)


@settings(deadline=None)
@given(TEXTS, st.sampled_from(["x.yaml", "x.toml", "x.md"]))
def test_no_text_raises_and_every_finding_has_a_place(text: str, path: str) -> None:
    """Whatever is written, the answer is a document or findings, and places are within the text."""
    document, diagnostics = parse(path, text.encode())
    assert document is not None or diagnostics
    lines = text.replace("\r\n", "\n").split("\n")
    for each in diagnostics:
        assert 1 <= each.line <= len(lines)
        assert 1 <= each.column <= len(lines[each.line - 1]) + 1


@settings(deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["x.yaml", "x.toml", "x.md"]))
def test_no_bytes_raise(data: bytes, path: str) -> None:
    """Any bytes at all are a document or findings."""
    document, diagnostics = parse(path, b"a" + data)
    assert document is not None or diagnostics
