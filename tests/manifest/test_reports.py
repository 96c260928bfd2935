"""Findings for machines."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.manifest.diagnostics import CODES, Diagnostic
from headgate.manifest.reports import render_github, render_sarif

ERROR = Diagnostic("tools/a.yaml", 9, 3, "error", "HG1003", "unknown key 'x'", "remove it")
WARNING = Diagnostic("agents/b c.md", 1, 1, "warning", "HG1202", "100%\nof: nothing")


@pytest.mark.parametrize(
    ("found", "base", "line"),
    [
        (ERROR, "", "::error file=tools/a.yaml,line=9,col=3,title=HG1003::unknown key 'x'; remove it"),
        (ERROR, "deploy/x", "::error file=deploy/x/tools/a.yaml,line=9,col=3,title=HG1003::unknown key 'x'; remove it"),
        (WARNING, "", "::warning file=agents/b c.md,line=1,col=1,title=HG1202::100%25%0Aof: nothing"),
        (
            Diagnostic("a,b:c%.md", 1, 1, "error", "HG1001", "x"),
            "",
            "::error file=a%2Cb%3Ac%25.md,line=1,col=1,title=HG1001::x",
        ),
    ],
)
def test_workflow_commands_are_escaped(found: Diagnostic, base: str, line: str) -> None:
    """No text of a finding can begin another command, end a line, or end a property."""
    assert render_github([found], base) == line


def test_workflow_commands_are_sorted() -> None:
    """One line a finding, by place; none for none."""
    assert [each.split(" ")[0] for each in render_github([ERROR, WARNING]).split("\n")] == ["::warning", "::error"]
    assert render_github([]) == ""


def run(*found: Diagnostic) -> dict[str, Any]:
    """The one run of a SARIF log."""
    log = render_sarif("5f0c", found, version="1.2.3", base="deploy")
    assert (log["version"], log["$schema"][:8], len(log["runs"])) == ("2.1.0", "https://", 1)
    made: dict[str, Any] = log["runs"][0]
    return made


def test_sarif_has_every_code_as_a_rule() -> None:
    """A log without results still says what was looked for, and by which version."""
    made = run()
    driver = made["tool"]["driver"]
    assert (driver["name"], driver["semanticVersion"], made["results"]) == ("Headgate", "1.2.3", [])
    assert [each["id"] for each in driver["rules"]] == list(CODES)
    assert all(each["shortDescription"]["text"] == CODES[each["id"]] for each in driver["rules"])


def test_sarif_places_a_finding() -> None:
    """A result points at its rule, its file as a URI, and its line and column in characters (SARIF 2.1.0 §3.27)."""
    made = run(ERROR, WARNING)
    result = made["results"][0]
    assert (result["level"], result["message"]["text"]) == ("warning", "100%\nof: nothing")
    assert made["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "HG1202"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "deploy/agents/b%20c.md"
    assert place["artifactLocation"]["uriBaseId"] in made["originalUriBaseIds"]
    assert (place["region"], made["columnKind"]) == ({"startLine": 1, "startColumn": 1}, "unicodeCodePoints")
