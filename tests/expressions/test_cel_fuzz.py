"""Random expressions and random values: no crash, no undocumented error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from headgate.expressions.cel_types import Declarations
from headgate.expressions.condition import Condition, Text
from tests.expressions.calls import AFTER, ANY, TYPED, asked, outcome

_NAMES = st.sampled_from(
    [
        "args",
        "args.a",
        "args.b.c",
        "args['a']",
        "args.?a",
        "tool.name",
        "run.turn",
        "now",
        "result",
        "x",
        "y",
        "args[?0]",
    ]
)
_CONSTANTS = st.sampled_from(
    ["1", "-1", "0", "1u", "2.5", "1e308", "'a'", "'é😀'", "b'x'", "true", "null", "[]", "{}", "9223372036854775807"]
)
_BINARY = ["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||", "in"]
_FUNCTIONS = ["size", "string", "int", "double", "dyn", "type", "bytes"]
_METHODS = ["contains", "startsWith", "orValue", "matches"]
_MACROS = ["all", "exists", "exists_one", "map", "filter"]


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(_BINARY), inner),
        st.builds("({}).{}(x, {})".format, inner, st.sampled_from(_MACROS), inner),
        st.builds("({}).optMap(y, {})".format, inner, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{'a': {}, 'b': {}}}".format, inner, inner),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("({}).a".format, inner),
        st.builds("!({})".format, inner),
        st.builds("{}({})".format, st.sampled_from(_FUNCTIONS), inner),
        st.builds("({}).{}({})".format, inner, st.sampled_from(_METHODS), inner),
        st.just("has(args.a)"),
        st.just("has(args.b.c)"),
    )


_EXPRESSIONS = st.recursive(st.one_of(_NAMES, _CONSTANTS), _grow, max_leaves=12)
_JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(),
        st.characters(codec=None, categories=["Cs"]),
        st.binary(max_size=4),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from("abc"), st.text()), inner, max_size=4)
    ),
    max_leaves=12,
)
_SOME = Declarations({"properties": {"a": {"type": "integer"}, "b": {"type": "object"}}})
_CHARACTERS = "args.tool'\"()[]{}?:!&|=<>+-*/\\ \n\t\0é😀0123u,@`#$\ud800"


def parsed(kind: type[Condition] | type[Text], text: str, scope: Declarations) -> Condition | Text | None:
    """The expression, or None after a look at its error, which must be a documented one that lies within the text."""
    try:
        return kind.parse(text, scope)
    except PydanticCustomError as error:
        fault = error
    assert fault.type in ("cel_syntax", "cel_type")
    assert fault.context is not None
    assert 0 <= fault.context["offset"] <= len(text)
    return None


@pytest.mark.parametrize("kind", [Condition, Text])
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    text=_EXPRESSIONS,
    scope=st.sampled_from([ANY, AFTER, _SOME]),
    args=st.dictionaries(st.sampled_from("abc"), _JSON),
    result=_JSON,
)
def test_any_expression_over_any_call_answers_or_says_why(
    kind: type[Condition] | type[Text], text: str, scope: Declarations, args: Any, result: Any
) -> None:
    """Random expressions over random values raise nothing but the documented errors."""
    expression = parsed(kind, text, scope)
    if expression is not None:
        assert isinstance(outcome(expression, asked(args, result=result)), bool | str)


@settings(max_examples=400, deadline=None)
@given(text=st.one_of(st.text(), st.text(alphabet=_CHARACTERS, max_size=60)))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    """Random characters raise nothing but the documented errors, within the text."""
    expression = parsed(Condition, text, TYPED)
    assert expression is None or expression.source == text
