"""Diagnostics: their order, their two forms, and suggestions."""

from __future__ import annotations

import re

import pytest

from headgate.manifest.diagnostics import CODES, Diagnostic, render_json, render_text, suggest

KEY = Diagnostic("tools/refund.yaml", 9, 3, "error", "HG1003", "unknown key 'methd'", "did you mean 'method'?")
GLOB = Diagnostic("tools/refund.yaml", 10, 1, "warning", "HG1202", "the glob 'x*' matches nothing")
EARLY = Diagnostic("gateway.toml", 90, 1, "error", "HG1005", "the key 'name' is missing")


def test_text_has_place_severity_code_message_and_hint() -> None:
    """A line reads `path:line:column: severity[code] message; hint`."""
    expected = "tools/refund.yaml:9:3: error[HG1003] unknown key 'methd'; did you mean 'method'?"
    assert render_text([KEY]) == expected


def test_text_without_hint_ends_with_the_message() -> None:
    """No hint, no semicolon."""
    assert render_text([GLOB]) == "tools/refund.yaml:10:1: warning[HG1202] the glob 'x*' matches nothing"


def test_text_is_sorted_by_path_then_line_as_a_number() -> None:
    """Line 9 comes before line 10, and paths are sorted first."""
    lines = render_text([GLOB, KEY, EARLY]).splitlines()
    assert [line.split(" ")[0] for line in lines] == [
        "gateway.toml:90:1:",
        "tools/refund.yaml:9:3:",
        "tools/refund.yaml:10:1:",
    ]


def test_text_keeps_one_line_a_finding() -> None:
    """Control characters in a message cannot forge a second line."""
    forged = Diagnostic("a\nb.yaml", 1, 1, "error", "HG1001", "x\r\ny\x1b[0m")
    assert render_text([forged]) == "a b.yaml:1:1: error[HG1001] x y [0m"


def test_json_has_the_documented_members() -> None:
    """The JSON form is the revision and every member of every finding, sorted."""
    found = render_json("abc", [GLOB, KEY])
    assert found["revision"] == "abc"
    assert [each["line"] for each in found["diagnostics"]] == [9, 10]
    assert found["diagnostics"][0] == {
        "path": "tools/refund.yaml",
        "line": 9,
        "column": 3,
        "severity": "error",
        "code": "HG1003",
        "message": "unknown key 'methd'",
        "hint": "did you mean 'method'?",
    }


def test_every_code_is_documented_by_one_sentence() -> None:
    """The table has HG codes in order, each with one sentence."""
    assert list(CODES) == sorted(CODES)
    assert all(re.fullmatch(r"HG1[0-5]\d\d", code) for code in CODES)
    assert all(text.endswith(".") and text[0].isupper() for text in CODES.values())


@pytest.mark.parametrize(
    ("word", "choices", "expected"),
    [
        ("methd", ["method", "url", "body"], "method"),
        ("Method", ["method", "url"], "method"),
        ("enviroment", ["env", "environment"], "environment"),
        ("zzz", ["method", "url"], None),
        ("x", [], None),
        ("m" * 1000, ["m" * 999], None),
    ],
)
def test_suggest_names_the_near_choice_only(word: str, choices: list[str], expected: str | None) -> None:
    """A typo gets its correction, a stranger gets none."""
    assert suggest(word, choices) == expected
