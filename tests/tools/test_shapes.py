"""Shapes beside the answers of inline tests."""

from __future__ import annotations

from headgate.expressions.shape import Shape
from headgate.tools.shapes import as_json, check_shape


def test_a_finding_is_a_warning_at_its_place() -> None:
    """What no answer has is reported at the name in the expression."""
    (finding,) = check_shape(("output",), Shape.parse("a.nmae"), [{"a": {"name": 1}}])
    assert (finding.key, finding.code, finding.offset, finding.severity) == (("output",), "HG1304", 2, "warning")
    assert finding.hint == "did you mean 'name'?"


def test_nothing_is_said_without_answers() -> None:
    """A tool without a shape, or without tests, has nothing to compare."""
    assert [*check_shape(("output",), None, [{}]), *check_shape(("output",), Shape.parse("a"), [])] == []


def test_texts_are_read_as_json() -> None:
    """A text that is JSON counts as its value; one that is not, and an answer without a body, do not count."""
    assert as_json(['{"a": 1}', "a text", None, {"b": 2}]) == [{"a": 1}, {"b": 2}]
