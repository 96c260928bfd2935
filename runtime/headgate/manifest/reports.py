"""Findings for machines: SARIF 2.1.0 for code scanning, and the workflow commands of GitHub Actions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from headgate.manifest.diagnostics import CODES, Diagnostic

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}
"""What workflow commands escape in a message, and in a property (docs.github.com, "Workflow commands")."""


def render_github(diagnostics: Iterable[Diagnostic], base: str = "") -> str:
    """One workflow command a finding, sorted; `base` is the tree's path from the root of the repository."""
    return "\n".join(_command(each, base) for each in sorted(diagnostics))


def _command(each: Diagnostic, base: str) -> str:
    values = {"file": _within(each.path, base), "line": each.line, "col": each.column, "title": each.code}
    properties = ",".join(f"{name}={_escape(str(value), _PROPERTY)}" for name, value in values.items())
    return f"::{each.severity} {properties}::{_escape(_sentence(each), _DATA)}"


def _escape(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(character, character) for character in text)


def render_sarif(revision: str, diagnostics: Iterable[Diagnostic], *, version: str, base: str = "") -> dict[str, Any]:
    """A SARIF log of one run with every code as a rule; `version` is the tool's."""
    driver = {"name": "Headgate", "semanticVersion": version, "rules": [_rule(code) for code in CODES]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"TREE": {"description": {"text": "The root of the repository."}}},
        "properties": {"revision": revision},
        "results": [_result(each, base) for each in sorted(diagnostics)],
    }
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    return {"id": code, "shortDescription": {"text": CODES[code]}}


def _result(each: Diagnostic, base: str) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": quote(_within(each.path, base)), "uriBaseId": "TREE"},
        "region": {"startLine": each.line, "startColumn": each.column},
    }
    return {
        "ruleId": each.code,
        "ruleIndex": list(CODES).index(each.code),
        "level": each.severity,
        "message": {"text": _sentence(each)},
        "locations": [{"physicalLocation": place}],
    }


def _sentence(each: Diagnostic) -> str:
    return f"{each.message}; {each.hint}" if each.hint else each.message


def _within(path: str, base: str) -> str:
    return str(PurePosixPath(base, path))
