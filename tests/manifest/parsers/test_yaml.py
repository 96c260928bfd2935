"""YAML: 1.2 core values, what is refused, and the traps that expressions fall into."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from headgate.manifest.diagnostics import render_text
from headgate.manifest.parsers import parse
from headgate.manifest.parsers.yaml import MAX_DEPTH, MAX_EXPANDED
from headgate.manifest.source import MAX_PROBLEMS


def findings(text: str) -> list[str]:
    """Every finding as `line:column code`."""
    return [f"{each.line}:{each.column} {each.code}" for each in parse("x.yaml", text.encode())[1]]


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("null", None),
        ("~", None),
        ("", None),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("+3", 3),
        ("-12", -12),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("1.10", 1.1),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("12:30", "12:30"),
        ("12:30:00", "12:30:00"),
        ("2026-11-20", "2026-11-20"),
        ("=", "="),
        ("1.2.3", "1.2.3"),
        ("'017'", "017"),
        ('"true"', "true"),
        ("|-\n  12", "12"),
        (">-\n  null", "null"),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_plain_scalars_follow_the_core_schema(plain: str, value: Any) -> None:
    """Only JSON-like words and numbers are more than strings; quoting always makes a string."""
    document, diagnostics = parse("x.yaml", f"k: {plain}\n".encode())
    assert document is not None
    assert diagnostics == []
    assert document.body == {"k": value}
    assert type(document.body["k"]) is type(value)


@pytest.mark.parametrize(
    "number", [".inf", "-.INF", ".nan", "1e999", "9223372036854775808", "9" * 5000, "0x" + "f" * 99]
)
def test_numbers_that_json_lacks_are_refused(number: str) -> None:
    """Infinities, NaN and integers beyond 64 bits are findings, and a number stands in for them."""
    document, _ = parse("x.yaml", f"k: {number}".encode())
    assert findings(f"k: {number}") == ["1:4 HG1004"]
    assert document is not None
    assert document.body == {"k": 0}


def test_words_that_look_like_keywords_are_string_keys() -> None:
    """`on` and `no` stay what they are written as, also as keys."""
    document, diagnostics = parse("x.yaml", b"on: 1\nno: 2\n")
    assert document is not None
    assert (document.body, diagnostics) == ({"on": 1, "no": 2}, [])


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\n\n"])
def test_an_empty_file_is_null(text: str) -> None:
    """A file without content parses, to nothing."""
    document, diagnostics = parse("x.yaml", text.encode())
    assert document is not None
    assert (document.body, diagnostics) == (None, [])


def test_a_duplicate_key_names_the_first_place() -> None:
    """The second key is blamed, the first is named and kept, and the rest is still read."""
    document, diagnostics = parse("x.yaml", b"a: 1\nb:\n  c: 1\n  c: 2\na: 3\nd: 4\n")
    assert document is not None
    assert document.body == {"a": 1, "b": {"c": 1}, "d": 4}
    assert render_text(diagnostics).splitlines() == [
        "x.yaml:4:3: error[HG1006] duplicate key 'c', first given on line 3; remove one of them",
        "x.yaml:5:1: error[HG1006] duplicate key 'a', first given on line 1; remove one of them",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\n<<: {b: 2}\n", ["2:1 HG1008"]),
        ("a: !!str 1\n", ["1:4 HG1008"]),
        ("a: !secret x\n", ["1:4 HG1008"]),
        ("a: 1\n---\nb: 2\n", ["2:1 HG1008"]),
        ("1: x\n", ["1:1 HG1004"]),
        ("true: x\n", ["1:1 HG1004"]),
        ("~: x\n", ["1:1 HG1004"]),
        ("? [a, .inf]\n: x\n", ["1:3 HG1004"]),
        ("a: \x07\n", ["1:4 HG1001"]),
        ("%YAML 2.0\n---\na: 1\n", ["1:1 HG1001"]),
    ],
)
def test_what_manifests_do_not_have_is_refused(text: str, found: list[str]) -> None:
    """Merge keys, tags, several documents, keys that are no strings, and control characters."""
    assert findings(text) == found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a:\n\tb: 1\n", "2:1: error[HG1001] a tab cannot stand here; indent with spaces"),
        ("a: 1\nb\nc: 2\n", "2:1: error[HG1001] a ':' is missing after this key"),
        ("a: 'x\nb: 1\n", "1:4: error[HG1001] the quotation that begins here is not closed"),
        ("é: [1, 2\nb: 3\n", "2:2: error[HG1001] a ',' or ']' is expected here"),
        ("a: [\n", "2:1: error[HG1001] a value or a closing bracket is expected here"),
        (
            "a: 1\n b: 2\n",
            "2:3: error[HG1001] a ':' cannot stand here; check the indentation, or quote the value",
        ),
        (
            "a: 'it's'\n",
            "1:8: error[HG1001] a key is expected here; check the indentation and the quotation marks",
        ),
    ],
)
def test_syntax_errors_have_a_place_and_plain_words(text: str, line: str) -> None:
    """One finding a file, where the cause is, in words that mend it."""
    document, diagnostics = parse("x.yaml", text.encode())
    assert document is None
    assert render_text(diagnostics) == f"x.yaml:{line}"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("when: !args.x\n", "1:7"),
        ('a: 1\nwhen: "a" in args.tags\nb: 1\n', "2:11"),
        ('when: a ? "x" : "y"\n', "1:15"),
        ("output: items[].{id: id}\n", "1:20"),
        ("steps:\n  - when: @now\n", "2:11"),
        ("when: *x\n", "1:7"),
        ("{tool: x, when: a: b}\n", "1:18"),
        ("qualifier: {a: b} == c\n", "1:19"),
        ("decide: %x\n", "1:9"),
    ],
)
def test_an_expression_that_yaml_eats_is_to_be_quoted(text: str, place: str) -> None:
    """A syntax error in the value of an expression key says what is meant."""
    assert findings(text) == [f"{place} HG1009"]
    assert parse("x.yaml", text.encode())[1][0].hint == "quote the expression"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("allow: *\n", ["1:9 HG1009"]),
        ("allow:\n  - *_read\n", ["2:5 HG1009"]),
        ("notify: @ops\n", ["1:9 HG1009"]),
        ("text: `x`\n", ["1:7 HG1009"]),
        ("text: %x\n", ["1:7 HG1009"]),
        ("text: {{ a }}\n", ["1:7 HG1009"]),
        ("text: &é\n", ["1:8 HG1009"]),
        ("a: &a [1]\nb: &b [*c]\n", ["2:8 HG1001"]),
    ],
)
def test_values_that_begin_with_a_sign_are_to_be_quoted(text: str, found: list[str]) -> None:
    """A value that begins with one of YAML's signs is a trap, an unknown alias elsewhere is not."""
    assert findings(text) == found


def test_an_expression_cut_off_by_a_comment_is_a_warning() -> None:
    """Only expression keys are warned about, and only when a comment follows unquoted text."""
    text = "when: a # b\noutput: 'x' # fine\nurl: x # fine\ndecide: # fine\n  a # b\n"
    document, diagnostics = parse("x.yaml", text.encode())
    assert document is not None
    assert document.body["when"] == "a"
    assert [str(each) for each in diagnostics] == [
        "x.yaml:1:9: warning[HG1009] YAML takes the rest of this line for a comment; quote the expression",
        "x.yaml:5:5: warning[HG1009] YAML takes the rest of this line for a comment; quote the expression",
    ]


def test_anchors_and_aliases_share_data() -> None:
    """Aliases within the budget are what they stand for."""
    document, diagnostics = parse("x.yaml", b"a: &a {x: [1]}\nb: *a\nc: [*a, *a]\n")
    assert document is not None
    assert diagnostics == []
    assert document.body == {"a": {"x": [1]}, "b": {"x": [1]}, "c": [{"x": [1]}, {"x": [1]}]}


def test_an_alias_bomb_is_refused() -> None:
    """Nine levels of nine aliases stand for millions of values."""
    levels = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    document, diagnostics = parse("x.yaml", "\n".join(levels).encode())
    assert document is None
    assert [each.code for each in diagnostics] == ["HG1008"]
    assert str(MAX_EXPANDED) in diagnostics[0].message


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: &a {b: *a}\n"])
def test_a_recursive_alias_is_refused(text: str) -> None:
    """A value cannot hold itself."""
    document, diagnostics = parse("x.yaml", text.encode())
    assert document is None
    assert len(diagnostics) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2),
        "[" * 200_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        f"a: &a {'[' * 40}{']' * 40}\nb: {'[' * 40}*a{']' * 40}\n",
    ],
)
def test_deep_nesting_is_refused(text: str) -> None:
    """Depth is limited, also the depth that aliases add up to, and never ends the process."""
    document, diagnostics = parse("x.yaml", text.encode())
    assert document is None
    assert [each.code for each in diagnostics] == ["HG1008"]


def test_nesting_up_to_the_limit_is_read() -> None:
    """The limit itself is allowed."""
    text = "[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH
    assert findings(text) == []


def test_the_findings_of_a_file_are_limited() -> None:
    """A file of nothing but duplicates is not reported line by line."""
    assert len(findings("a: 1\n" * 2000)) == MAX_PROBLEMS


PURE = """
import yaml
del yaml.CSafeLoader
from headgate.manifest.parsers import parse
for text in ("a: [on, 017, {b: é}]", "when: a ? b : c", "a: 1\\nb: [1", "[" * 1000):
    document, diagnostics = parse("x.yaml", text.encode())
    print(ascii(document and document.body), *(f"{d.line}:{d.column} {d.code}" for d in diagnostics))
"""


def test_without_libyaml_the_same_is_read() -> None:
    """The pure Python parser stands in where the C library is missing."""
    done = subprocess.run([sys.executable, "-c", PURE], capture_output=True, text=True, check=True, encoding="utf-8")
    assert done.stdout.splitlines() == [
        r"{'a': ['on', 17, {'b': '\xe9'}]}",
        "None 1:13 HG1009",
        "None 2:6 HG1001",
        "None 1:66 HG1008",
    ]
