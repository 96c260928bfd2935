"""References: what they resolve to, what is wrong with them, and where."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from headgate.core.scalars import Interpolated
from headgate.manifest.diagnostics import render_text
from headgate.manifest.parsers import parse
from headgate.manifest.references import MAX_FILE, Resolved, resolve

ENVIRON = {"TOKEN": "s3cret-value", "EMPTY": "", "SYNTAX": 'a: "b" {{ c }} ${env:TOKEN}'}


def resolved(text: str, root: Path, environ: Mapping[str, str] = ENVIRON, *, skip: bool = False) -> Resolved:
    """The references of a YAML text, resolved."""
    document, diagnostics = parse("tools/x.yaml", text.encode())
    assert document is not None
    assert diagnostics == []
    return resolve(document, environ, root, skip_environment=skip)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${env:TOKEN}", "s3cret-value"),
        ("Bearer ${env:TOKEN}!", "Bearer s3cret-value!"),
        ("${env:TOKEN}${env:TOKEN}", "s3cret-values3cret-value"),
        ("${env:NONE:-fall back}", "fall back"),
        ("${env:EMPTY:-fall back}", "fall back"),
        ("${env:NONE:-}", ""),
        ("${env:EMPTY}", ""),
        ("${env:TOKEN:?said}", "s3cret-value"),
        ("${env:SYNTAX}", 'a: "b" {{ c }} ${env:TOKEN}'),
        ("$${env:TOKEN}", "${env:TOKEN}"),
        ("$$$${env:TOKEN}", "$${env:TOKEN}"),
        ("$$${env:TOKEN}", "$s3cret-value"),
        ("costs $5, ^a$", "costs $5, ^a$"),
    ],
)
def test_environment_references(written: str, value: str, tmp_path: Path) -> None:
    """Variables, defaults, and escaped dollar signs; a value is never read again."""
    found = resolved(f"k: '{written}'", tmp_path)
    assert found.body == {"k": value}
    assert found.diagnostics == ()


def test_keys_and_other_scalars_are_left_alone(tmp_path: Path) -> None:
    """Only string leaves are interpolated, in mappings and in lists."""
    found = resolved("'${env:TOKEN}': [1, true, null, {a: 'x ${env:TOKEN}'}]", tmp_path)
    assert found.body == {"${env:TOKEN}": [1, True, None, {"a": "x s3cret-value"}]}
    assert found.referenced == {("${env:TOKEN}", 3, "a")}


def test_the_document_is_not_changed(tmp_path: Path) -> None:
    """The body that others share keeps its references."""
    document, _ = parse("x.yaml", b"a: {b: ['${env:TOKEN}']}")
    assert document is not None
    resolve(document, ENVIRON, tmp_path)
    assert document.body == {"a": {"b": ["${env:TOKEN}"]}}


@pytest.mark.parametrize(
    ("written", "literal"),
    [
        ("a ${env:TOKEN} {{ b }} ${env:EMPTY}", ((2, 14), (23, 23))),
        ("$$ ${env:NONE:-x}", ((2, 3),)),
    ],
)
def test_what_came_from_a_reference_is_marked(written: str, literal: Any, tmp_path: Path) -> None:
    """The ranges of resolved values are data, so that no template is found in them."""
    value = resolved(f"k: '{written}'", tmp_path).body["k"]
    assert isinstance(value, Interpolated)
    assert value.literal == literal


@pytest.mark.parametrize("written", ["plain", "$$ escaped", "5$"])
def test_strings_without_references_stay_plain(written: str, tmp_path: Path) -> None:
    """An escape is no reference."""
    found = resolved(f"k: '{written}'", tmp_path)
    assert type(found.body["k"]) is str
    assert found.referenced == frozenset()


@pytest.mark.parametrize(
    ("offset", "written"), [(0, 0), (3, 3), (4, 3), (5, 18), (6, 19), (8, 21), (9, 23), (10, 24), (11, 25)]
)
def test_offsets_lead_back_to_what_is_written(offset: int, written: int, tmp_path: Path) -> None:
    """A place in the resolved text is found in the file; inside a value it is the reference's beginning."""
    raw = "ab ${env:NONE:-xy} c $$ d"
    found = resolved(f"k: '{raw}'", tmp_path)
    assert found.body["k"] == "ab xy c $ d"
    assert found.written(("k",), offset) == written


def test_offsets_of_leaves_without_references_stay(tmp_path: Path) -> None:
    """Nothing moves where nothing was resolved."""
    assert resolved("k: plain", tmp_path).written(("k",), 3) == 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "k: 'a ${TOKEN}'",
            "1:7: error[HG1101] the reference 'TOKEN' has no scheme; write ${env:TOKEN}, or $$ for a dollar sign",
        ),
        ("k: ${evn:TOKEN}", "1:6: error[HG1101] unknown scheme 'evn'; did you mean 'env'?"),
        (
            "k: ${vault:x}",
            "1:6: error[HG1101] unknown scheme 'vault'; write one of env, file, secret, or $$ for a dollar sign",
        ),
        (
            "k: 'é ${env:TOKEN'",
            "1:7: error[HG1101] the reference is not closed; end it with }, or write $$ for a dollar sign",
        ),
        ("k: '${env:A:-${env:B}}'", "1:14: error[HG1101] references cannot be nested"),
        (
            "k: 'x: ${{ a }}'",
            "1:8: error[HG1101] '{ a ' is not a reference; write one of env, file, secret, or $$ for a dollar sign",
        ),
        (
            "k: ${env:A-b}",
            "1:4: error[HG1101] 'env:A-b' is not a reference to a variable; "
            "write ${env:NAME}, ${env:NAME:-default} or ${env:NAME:?message}",
        ),
        ("k: '${file:}'", "1:5: error[HG1101] the reference names no file; write ${file:/run/secrets/x}"),
        (
            "k: ${secret:vault/crm#key}",
            "1:4: error[HG1104] there are no secret back-ends to ask for 'vault/crm#key'; "
            "use ${env:NAME} or ${file:/path}",
        ),
        (
            "k: |\n  one\n  two ${env:NONE}",
            "3:7: error[HG1102] the environment variable NONE is missing; set it, or give a default: ${env:NONE:-...}",
        ),
        ("k: [a, '${env:NONE:?ask the CRM team}']", "1:9: error[HG1102] NONE: ask the CRM team"),
        (
            "k: '${env:EMPTY:?}'",
            "1:5: error[HG1102] the environment variable EMPTY is empty; set it, or give a default: ${env:EMPTY:-...}",
        ),
        (
            "k: ${file:../x}",
            "1:4: error[HG1103] the file ../x is outside the tree; write its absolute path",
        ),
        ("k: ${file:none.txt}", "1:4: error[HG1103] cannot read the file none.txt: there is no such file"),
    ],
)
def test_findings_have_the_place_of_the_reference(text: str, line: str, tmp_path: Path) -> None:
    """What is wrong, exactly where, and how to mend it."""
    found = resolved(text, tmp_path)
    assert render_text(found.diagnostics) == f"tools/x.yaml:{line}"


def test_every_finding_of_a_document_is_reported(tmp_path: Path) -> None:
    """All references are judged in one pass, also those of one leaf."""
    found = resolved("a: ${env:X} ${env:Y}\nb: ${foo}\nc: ${env:TOKEN}", tmp_path)
    assert [(each.line, each.code) for each in found.diagnostics] == [(1, "HG1102"), (1, "HG1102"), (2, "HG1101")]
    assert found.unresolved == {("a",), ("b",)}
    assert found.referenced == {("a",), ("b",), ("c",)}
    assert found.body == {"a": "${env:X} ${env:Y}", "b": "${foo}", "c": "s3cret-value"}


def test_toml_references_are_placed_behind_escapes(tmp_path: Path) -> None:
    """The place is that of the reference in the file, not in the value."""
    document, _ = parse("gateway.toml", b'k = "\\u0041\\n${env:NONE}"\n')
    assert document is not None
    [found] = resolve(document, {}, tmp_path).diagnostics
    assert (found.line, found.column) == (1, 14)


def test_without_environment_what_is_missing_is_no_finding(tmp_path: Path) -> None:
    """Variables and files that this machine lacks are left unresolved; grammar is judged all the same."""
    text = "a: ${env:X}\nb: ${env:X:?no}\nc: ${file:/none/x}\nd: ${env:X:-d}\ne: ${env:TOKEN}\nf: ${x:y}"
    found = resolved(text, tmp_path, skip=True)
    assert [each.line for each in found.diagnostics] == [6]
    assert found.unresolved == {("a",), ("b",), ("c",), ("f",)}
    assert (found.body["a"], found.body["d"], found.body["e"]) == ("${env:X}", "d", "s3cret-value")


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"token\n", "token"), (b"token\r\n", "token"), (b"a\n\n", "a\n"), (b"", ""), (b"\xc3\xa9", "é")],
)
def test_files_lose_one_line_end(data: bytes, value: str, tmp_path: Path) -> None:
    """A file's text is the value, without the line end that editors add; relative paths begin at the root."""
    (tmp_path / "token").write_bytes(data)
    assert resolved("k: x${file:token}", tmp_path).body == {"k": f"x{value}"}
    assert resolved(f"k: x${{file:{tmp_path}/token}}", tmp_path / "elsewhere").body == {"k": f"x{value}"}


def test_files_are_named_for_watching(tmp_path: Path) -> None:
    """Files that were read and files that were missing may both change."""
    (tmp_path / "token").write_text("x")
    found = resolved("a: ${file:token}\nb: ${file:none}", tmp_path)
    assert found.files == {tmp_path / "token", tmp_path / "none"}


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"x" * (MAX_FILE + 1), f"it is larger than {MAX_FILE} bytes"), (b"\xff", "it is not UTF-8 text")],
)
def test_files_that_are_no_fair_text_are_refused(data: bytes, said: str, tmp_path: Path) -> None:
    """Size and encoding are limited."""
    (tmp_path / "f").write_bytes(data)
    [found] = resolved("k: ${file:f}", tmp_path).diagnostics
    assert (found.code, found.message) == ("HG1103", f"cannot read the file f: {said}")


def test_pipes_and_folders_are_no_files(tmp_path: Path) -> None:
    """A named pipe would hold the reader for ever."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    found = resolved("a: ${file:pipe}\nb: ${file:folder}", tmp_path)
    assert [each.message.split(": ")[1] for each in found.diagnostics] == ["it is not a regular file"] * 2


def test_links_inside_the_tree_are_followed_and_those_that_leave_it_are_not(tmp_path: Path) -> None:
    """A relative path stays in the tree, whatever links it passes."""
    root = tmp_path / "tree"
    root.mkdir()
    (tmp_path / "outside").write_text("x")
    (root / "real").write_text("inside")
    (root / "good").symlink_to("real")
    (root / "bad").symlink_to("../outside")
    (root / "loop").symlink_to("loop")
    found = resolved("a: ${file:good}\nb: ${file:bad}\nc: ${file:loop}", root)
    assert found.body["a"] == "inside"
    assert [(each.line, each.code) for each in found.diagnostics] == [(2, "HG1103"), (3, "HG1103")]


def test_a_name_that_no_file_can_have_is_a_finding(tmp_path: Path) -> None:
    """The system's refusal is reported like any other."""
    [found] = resolved(f"k: ${{file:{'x' * 5000}}}", tmp_path).diagnostics
    assert found.code == "HG1103"


def test_a_variable_that_is_no_text_is_a_finding(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 could be written nowhere."""
    [found] = resolved("k: ${env:RAW}", tmp_path, {"RAW": "a\udcff"}).diagnostics
    assert (found.code, found.message) == ("HG1102", "the environment variable RAW is not UTF-8 text")


def test_every_value_from_outside_is_a_secret(tmp_path: Path) -> None:
    """Values and defaults alike, but nothing that is empty."""
    (tmp_path / "f").write_text("file-value\n")
    found = resolved("a: ${env:TOKEN}\nb: x ${env:N:-default}\nc: ${file:f}\nd: ${env:EMPTY}", tmp_path)
    assert found.secrets == {"s3cret-value", "default", "file-value"}
    assert ("env:TOKEN", "s3cret-value") in found.sources


def test_values_are_not_shown(tmp_path: Path) -> None:
    """A log line about the result holds no value."""
    assert "s3cret" not in repr(resolved("a: x ${env:TOKEN}", tmp_path))
