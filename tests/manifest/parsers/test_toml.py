"""TOML: data, refusals, and where errors are."""

from __future__ import annotations

import pytest

from headgate.manifest.diagnostics import render_text
from headgate.manifest.parsers import parse
from headgate.manifest.parsers.toml import MAX_DEPTH
from headgate.manifest.source import MAX_PROBLEMS


def findings(text: str) -> list[str]:
    """Every finding as `line:column code`."""
    return [f"{each.line}:{each.column} {each.code}" for each in parse("gateway.toml", text.encode())[1]]


def test_the_data_is_plain() -> None:
    """Tables, arrays of tables, dotted keys and inline tables become dicts and lists."""
    text = '[a."b c"]\nx.y = 1\n[[a.z]]\n[[a.z]]\nt = [true, 1.5, {u = "é"}]\n'
    document, diagnostics = parse("gateway.toml", text.encode())
    assert document is not None
    assert diagnostics == []
    assert document.body == {"a": {"b c": {"x": {"y": 1}}, "z": [{}, {"t": [True, 1.5, {"u": "é"}]}]}}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = foo\n", "2:5: error[HG1001] invalid value; strings need quotation marks"),
        ("a = [1,\n", "1:8: error[HG1001] invalid value"),
        ("a = 'é' x\n", "1:9: error[HG1001] expected newline or end of document after a statement"),
        ("a = 1\r\nb = foo\r\n", "2:5: error[HG1001] invalid value; strings need quotation marks"),
        ('"\\q" = 1\n', "1:4: error[HG1001] unescaped '\\' in a string"),
    ],
)
def test_syntax_errors_have_a_place(text: str, line: str) -> None:
    """The position is that of the offending character; at the end of the text it is behind the last one."""
    document, diagnostics = parse("gateway.toml", text.encode())
    assert document is None
    assert render_text(diagnostics) == f"gateway.toml:{line}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\na = 2\n", "2:1: error[HG1006] duplicate key 'a', first given on line 1; remove one of them"),
        ("[s]\nx=1\n[s]\n", "3:2: error[HG1006] duplicate key 's', first given on line 1; remove one of them"),
        ("a = {b = 1, b = 2}\n", "1:13: error[HG1006] duplicate key 'b', first given on line 1; remove one of them"),
        (
            "[[r]]\n[r.s]\n[[r]]\n[r.s]\nk = 1\nk = 2\n",
            "6:1: error[HG1006] duplicate key 'k', first given on line 5; remove one of them",
        ),
        ("[a]\nb.c = 1\n[a.b]\n", "3:5: error[HG1006] this key or table is given twice; remove one of them"),
    ],
)
def test_duplicates_name_the_first_place(text: str, line: str) -> None:
    """A key or table that is given twice is blamed at the second place."""
    assert render_text(parse("gateway.toml", text.encode())[1]) == f"gateway.toml:{line}"


def test_every_duplicate_is_found_up_to_a_limit() -> None:
    """All duplicates come in one pass, but not by the thousand."""
    assert findings("a=1\na=2\n[b]\n[b]\n") == ["2:1 HG1006", "4:2 HG1006"]
    assert len(findings("a=1\n" * 2000)) == MAX_PROBLEMS


@pytest.mark.parametrize("date", ["1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "1979-05-27 07:32:00"])
def test_dates_are_refused(date: str) -> None:
    """Manifests have no dates; the text of the date stands in."""
    document, diagnostics = parse("gateway.toml", f"a = [1, {{d = {date}}}]".encode())
    assert document is not None
    assert isinstance(document.body["a"][1]["d"], str)
    message = "gateway.toml:1:14: error[HG1004] manifests have no dates or times; quote it"
    assert render_text(diagnostics) == message


@pytest.mark.parametrize("number", ["inf", "-inf", "nan", "1e999", "9223372036854775808", "9" * 5000])
def test_numbers_that_json_lacks_are_refused(number: str) -> None:
    """Infinities, NaN and integers beyond 64 bits are findings."""
    assert findings(f"[t]\na = {number}\n") == ["2:5 HG1004"]


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "a = " + "[" * 100_000,
        "a = " + "{a = " * 50_000,
        "a." * 100_000 + "b = 1",
        "[" + "a." * 100_000 + "b]",
    ],
)
def test_deep_nesting_is_refused(text: str) -> None:
    """Depth is limited, however it is written."""
    document, diagnostics = parse("gateway.toml", text.encode())
    assert document is None
    assert [each.code for each in diagnostics] == ["HG1008"]


def test_nesting_up_to_the_limit_is_read() -> None:
    """The limit itself is allowed."""
    depth = MAX_DEPTH - 1
    assert findings("a = " + "[" * depth + "1" + "]" * depth) == []


@pytest.mark.parametrize(
    "text", ["=\n", "[]\n", "[a\n", "a\n", "[[a]\n", "[a]]\n", "a = {\n", '"\n', "\x7f", "a = ''' \n"]
)
def test_broken_texts_become_one_finding(text: str) -> None:
    """Nothing is raised for half a statement."""
    document, diagnostics = parse("gateway.toml", text.encode())
    assert document is None
    assert [each.code for each in diagnostics] == ["HG1001"]
