"""The CEL engine's errors: kinds, words and character offsets."""

from __future__ import annotations

import pytest
from pydantic_core import PydanticCustomError

from headgate.core.scalars import Interpolated
from headgate.expressions.cel import FUNCTIONS, MAX_SOURCE
from headgate.expressions.cel_types import Declarations
from headgate.expressions.condition import Condition
from tests.expressions.calls import ANY, TYPED


def fault(text: str, scope: Declarations = ANY) -> PydanticCustomError:
    """The error that parsing the text raises."""
    with pytest.raises(PydanticCustomError) as caught:
        Condition.parse(text, scope)
    return caught.value


def offset(text: str, scope: Declarations = ANY) -> int:
    """Where the text is wrong."""
    context = fault(text, scope).context
    assert context is not None
    return int(context["offset"])


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("", 0),
        ("  ", 0),
        ("true false", 5),
        ("true &&", 7),
        ("(true", 5),
        (")", 0),
        ("true ? 1", 8),
        ("tool.name == 'x", 13),
        ('tool.name == "\\q"', 13),
        ("é == 1", 0),
        ("true\0", 4),
        ("'\ud800' == ''", 1),
        ("99999999999999999999 == 1", 0),
        ("(" * 40 + "true" + ")" * 40, 0),
        (" || ".join(["true"] * 200) + " ||", 1599),
        ("true" + " " * MAX_SOURCE, MAX_SOURCE),
        ("args.in == 1", 5),
    ],
)
def test_bad_syntax_is_an_error_with_its_offset(text: str, at: int) -> None:
    """What is not CEL is refused where it stands."""
    assert fault(text).type == "cel_syntax"
    assert offset(text) == at


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("foo", 0),
        ("true && foo(1)", 8),
        ("tool.name.startWith('x')", 10),
        ("tool.name > 3", 10),
        ("tool.nmae == 'x'", 5),
        ("true\n  && tool\n  . nmae == 'x'", 19),
        ('"😀é" == tool.name + foo', 20),
        ('"😀" ==\n"😀" + foo', 13),
        ("true // 😀\r\n && foo", 15),
        ("\ttool.read_only == 'x'", 16),
        ("1", 0),
        ("tool.name", 0),
        ("[1].exists(args, args.x)", 21),
        ("has(tool)", 4),
    ],
)
def test_wrong_names_and_types_are_errors_with_their_offset(text: str, at: int) -> None:
    """Names that do not exist and types that do not fit are found at load, in characters, on any line."""
    assert fault(text).type == "cel_type"
    assert offset(text) == at


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("tool.nmae == ''", "did you mean 'tool.name'?"),
        ("agent.x == ''", "agent has name"),
        ("arg.x == 1", "did you mean 'args'?"),
        ("tool.name.startWith('x')", "did you mean 'startsWith'?"),
        ("true and false", "write && for 'and'"),
        ("tool.name = 'x'", "write == to compare"),
        ("run.cost_usd > 1", "beside a number with a fraction write 100.0, not 100"),
        ("tool.name.matches('(')", "patterns have the syntax of RE2"),
        ("true", None),
    ],
)
def test_errors_say_how_to_mend_them(text: str, hint: str | None) -> None:
    """Common slips have a hint; what is right has none to give."""
    if hint is None:
        assert Condition.parse(text, ANY).source == text
    else:
        context = fault(text).context
        assert context is not None
        assert context["hint"] == hint


def test_braces_in_a_message_stay_as_they_are() -> None:
    """Text of the expression that looks like a placeholder is not filled in."""
    assert fault("{offset} == 1").message().count("{offset}") <= 1


def test_an_expression_holds_no_reference() -> None:
    """A value from outside never becomes part of a rule."""
    with pytest.raises(PydanticCustomError) as caught:
        Condition.parse(Interpolated("tool.name == 'x'", ((13, 16),)), TYPED)
    assert caught.value.context == {"offset": 13, "hint": ""}


@pytest.mark.parametrize("name", [each for each in FUNCTIONS if each[:3] == "get"])
def test_every_function_that_hints_name_exists(name: str) -> None:
    """What a hint offers compiles."""
    assert Condition.parse(f"now.{name}() >= 0", ANY).source
