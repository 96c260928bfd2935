"""JMESPath shapes: found errors, results, and bounds."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter
from pydantic_core import PydanticCustomError

from headgate.core.errors import ToolError
from headgate.core.scalars import Interpolated
from headgate.expressions.shape import MAX_SOURCE, Shape, ShapeText

DATA = {"results": [{"plan_name": "gold", "invoices": [{"number": 1, "paid": False}, {"number": 2, "paid": True}]}]}


def test_a_shape_selects_and_renames() -> None:
    """The expression of the manual gives what the manual says."""
    shape = Shape.parse("results[0].{plan: plan_name, open_invoices: invoices[?paid==`false`].number}")
    assert shape.apply(DATA) == {"plan": "gold", "open_invoices": [1]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("truncate('abcdef', `3`)", "abc"),
        ("truncate('ab', `-1`)", ""),
        ("join_lines(['a', 'b'])", "a\nb"),
        ("join('-', ['a', 'b'])", "a-b"),
        ("to_string(@)", '{"a":[1]}'),
        ("missing", None),
    ],
)
def test_functions(text: str, value: object) -> None:
    """The gateway's own functions and those it bounds work as functions of JMESPath."""
    assert Shape.parse(text).apply({"a": [1]}) == value


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("", 0),
        ("a[", 2),
        ("a.{b: c", 7),
        ("a b", 2),
        ("a # b", 2),
        ("a | foo(@)", 4),
        ("x.truncate(a)", 2),
        ("length(a, b)", 0),
        ("(" * 2000, 0),
        ("a" * (MAX_SOURCE + 1), MAX_SOURCE),
    ],
)
def test_bad_expressions_are_found_when_parsed(text: str, offset: int) -> None:
    """Syntax, unknown functions, wrong arities and oversized sources are errors with an offset."""
    with pytest.raises(PydanticCustomError) as caught:
        Shape.parse(text)
    assert caught.value.type == "jmespath_syntax"
    assert caught.value.context == {"offset": offset}


def test_an_expression_holds_no_reference() -> None:
    """An expression put together from the environment is refused where the reference stands."""
    with pytest.raises(PydanticCustomError) as caught:
        Shape.parse(Interpolated("a.secret", ((2, 8),)))
    assert caught.value.context == {"offset": 2}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("&a", "not JSON"),
        ("[to_number('nan')]", "not finite"),
        ("[to_number('inf')]", "not finite"),
        ("abs(@)", "does not fit"),
        ("a[::0]", "does not fit"),
        ("floor(to_number('inf'))", "does not fit"),
    ],
)
def test_results_that_are_not_json_are_errors(text: str, reason: str) -> None:
    """What an expression makes is JSON, or the call fails."""
    with pytest.raises(ToolError, match=reason) as caught:
        Shape.parse(text).apply({"a": [1, 2]})
    assert caught.value.code == "invalid_result"


@pytest.mark.parametrize(
    "text",
    [
        "[@,@]" + "[] | [@,@]" * 60 + "[]",
        "[@,@]" + "|[@,@]" * 200,
        "[@,@]" + "|[@,@]" * 200 + "|to_string(@)",
        "'" + "x" * 500 + "'" + "|join('',[@,@,@,@,@,@,@,@])" * 12,
    ],
)
def test_expressions_that_explode_are_stopped(text: str) -> None:
    """Doubling lists, shared references and growing text end at the bounds instead of filling the memory."""
    with pytest.raises(ToolError) as caught:
        Shape.parse(text).apply([1])
    assert caught.value.code == "invalid_result"


def test_the_size_of_a_result_is_bounded() -> None:
    """A result of more bytes than the limit is an error, one within it is not."""
    assert Shape.parse("@").apply("x" * 50, limit=100) == "x" * 50
    with pytest.raises(ToolError, match="larger than 100 bytes"):
        Shape.parse("@").apply("é" * 60, limit=100)


def test_the_annotated_type_describes_itself() -> None:
    """`ShapeText` parses text, keeps a shape, and marks its schema."""
    adapter = TypeAdapter[Shape](ShapeText)
    shape = adapter.validate_python("a.b")
    assert adapter.validate_python(shape) is shape
    assert adapter.json_schema() == {"type": "string", "x-jmespath": True}
