"""The verdicts of inline tests as people and machines read them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any
from xml.etree import ElementTree

from headgate.engine.trial.verdict import Fault, Verdict
from headgate.manifest.diagnostics import render_json

_MARKS = {"passed": "✓", "failed": "✗", "skipped": "-"}
# What XML 1.0 cannot hold (§2.2).
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_text(verdict: Verdict) -> str:
    """One line, and below it what failed."""
    why = f"skipped: {verdict.reason}" if verdict.reason else f"{verdict.seconds * 1000:.0f} ms"
    line = f"{_MARKS[verdict.state]} {verdict.sort} {verdict.owner}: {verdict.name} ({why})"
    return "\n".join([line, *(f"  {each}" for fault in verdict.faults for each in _lines(fault))])


def _lines(fault: Fault) -> Iterator[str]:
    """The place and what is wrong, then both sides of a comparison below each other."""
    found, failure = fault.diagnostic, fault.failure
    hint = f"; {failure.hint}" if failure.hint else ""
    yield f"{found.path}:{found.line}:{found.column}: {found.severity}[{found.code}] {failure.message}{hint}"
    if failure.expected:
        yield f"  - expected: {failure.expected}"
        yield f"  + actual:   {failure.actual}"


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many passed and failed, and were skipped if any were."""
    count = Counter(each.state for each in verdicts)
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    return f"{count['passed']} passed, {count['failed']} failed{skipped}"


def as_json(revision: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Counts and all verdicts; times are in milliseconds."""
    count = Counter(each.state for each in verdicts)
    return {
        "revision": revision,
        "passed": count["passed"],
        "failed": count["failed"],
        "skipped": count["skipped"],
        "tests": [_members(each) for each in verdicts],
    }


def _members(verdict: Verdict) -> dict[str, Any]:
    return {
        verdict.sort: verdict.owner,
        "test": verdict.name,
        "state": verdict.state,
        "duration_ms": round(verdict.seconds * 1000, 1),
        **({"reason": verdict.reason} if verdict.reason else {}),
        "diagnostics": render_json("", verdict.diagnostics)["diagnostics"],
    }


def as_junit(verdicts: Sequence[Verdict]) -> str:
    """The XML that CI systems read: a suite an object, a case a test."""
    root = ElementTree.Element("testsuites", _totals(verdicts) | {"name": "headgate"})
    for (sort, owner), group in groupby(verdicts, key=lambda each: (each.sort, each.owner)):
        cases = list(group)
        suite = ElementTree.SubElement(root, "testsuite", {"name": f"{sort} {owner}", **_totals(cases)})
        for each in cases:
            _case(suite, each)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'


def _case(suite: ElementTree.Element, verdict: Verdict) -> None:
    found = verdict.diagnostics
    place = {"file": found[0].path, "line": str(found[0].line)} if found else {}
    about = {"classname": f"{verdict.sort}.{verdict.owner}", "name": _legal(verdict.name)}
    case = ElementTree.SubElement(suite, "testcase", about | place | {"time": f"{verdict.seconds:.3f}"})
    if verdict.reason:
        ElementTree.SubElement(case, "skipped", {"message": _legal(verdict.reason)})
    if found:
        about = {"type": found[0].code, "message": _legal(found[0].message)}
        ElementTree.SubElement(case, "failure", about).text = _legal("\n".join(map(str, found)))


def _totals(verdicts: Sequence[Verdict]) -> dict[str, str]:
    count = Counter(each.state for each in verdicts)
    seconds = sum(each.seconds for each in verdicts)
    return {
        "tests": str(len(verdicts)), "failures": str(count["failed"]), "skipped": str(count["skipped"]),
        "time": f"{seconds:.3f}",
    }  # fmt: skip


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
