"""What conditions may say about a tool whose input schema is known."""

from __future__ import annotations

import pytest
from pydantic_core import PydanticCustomError

from headgate.expressions.cel_types import Declarations
from headgate.expressions.condition import Condition
from tests.expressions.calls import AFTER, ANY, SCHEMA, TYPED, asked


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("args.amuont > 1.0", 5),
        ("has(args.amuont)", 9),
        ("has( args . amuont )", 12),
        ("args.?amuont.orValue(1.0) > 1.0", 6),
        ("args['amuont'] == 1", 5),
        ("args[?'amuont'].hasValue()", 6),
        ("'amuont' in args", 0),
        ("args.customer.nmae == ''", 14),
        ("has(args.customer.nmae)", 18),
        ("args.tags.all(t, args.tgas == [t])", 22),
    ],
)
def test_a_property_that_cannot_exist_is_an_error(text: str, at: int) -> None:
    """In a closed schema every way to name a property is checked, and the near one is named."""
    with pytest.raises(PydanticCustomError) as caught:
        Condition.parse(text, TYPED)
    assert caught.value.type == "cel_type"
    assert caught.value.context is not None
    assert caught.value.context["offset"] == at
    assert caught.value.context["hint"].startswith("did you mean 'args.")


@pytest.mark.parametrize(
    "text",
    [
        "args.amount == 'x'",
        "args.amount > 100",
        "args.count == 'x'",
        "args.account > 1",
        "args.plan == 1",
        "args.tags == 1",
        "args.tags.all(t, t > 1)",
        "args.tags[0] == 1",
        "args.rates.eu > 'x'",
        "args.customer == 1",
        "args.customer.name > 1",
        "args.account.x == 1",
        "has(args.count) && args.count == 'x'",
        "has(args.tags)\n && args.tags == 'x'",
    ],
)
def test_types_come_from_the_input_schema(text: str) -> None:
    """What the schema says a property is, the expression must take it for; `has` does not hide it."""
    assert Condition.parse(text, ANY)
    with pytest.raises(PydanticCustomError, match=r"applied|operand"):
        Condition.parse(text, TYPED)


@pytest.mark.parametrize(
    "text",
    [
        "args.amount > 100.0",
        "args.note == null || args.note == 'x'",
        "args.plan == 'gold'",
        "args.rates.eu * 2.0 > 1.0",
        "args.open.unknown == 1",
        "args.lines.exists(l, l.x == 1 || l.x == 'a')",
        "!has(args.count) || args.count > 3",
        "has(args.tags) && 'x' in args.tags",
        "has\n(args.count) && args.count > 3",
        "has(args. /* no comment */ count)".replace(" /* no comment */ ", " // why\n"),
        "args.?count.orValue(0) > 1",
        "args.?customer.?name.orValue('') == ''",
        "[1, 2].exists(args, args == 1)",
        "args.exists(name, name == 'count')",
        "args == {'count': 1}",
    ],
)
def test_right_expressions_compile(text: str) -> None:
    """Unions, open objects, optional members, tests and shadowed names are no errors."""
    assert isinstance(Condition.parse(text, TYPED).source, str)


@pytest.mark.parametrize("schema", [{"$ref": "#/$defs/x"}, {"anyOf": [{"type": "string"}]}, True, {}, {"type": 3}])
def test_what_a_schema_does_not_say_is_dynamic(schema: object) -> None:
    """A property of unknown type compares with anything."""
    scope = Declarations({"type": "object", "properties": {"x": schema}, "additionalProperties": False})
    assert Condition.parse("args.x == 1 || args.x == 'a'", scope).holds(asked({"x": "a"}))


def test_a_schema_that_lists_properties_has_no_others() -> None:
    """What most schemas leave unsaid is no way for a misspelt name; one that says it has more is taken at its word."""
    listed = {"type": "object", "properties": {"account": {"type": "string"}}}
    with pytest.raises(PydanticCustomError) as caught:
        Condition.parse("args.acount == 'x'", Declarations(listed))
    assert (caught.value.context or {})["hint"] == "did you mean 'args.account'?"
    for more in (
        {"additionalProperties": True},
        {"anyOf": [{"required": ["account"]}]},
        {"patternProperties": {"a": {}}},
    ):
        assert Condition.parse("args.acount == 'x'", Declarations({**listed, **more}))


def test_pattern_properties_keep_a_schema_open() -> None:
    """Names that a pattern may allow are not refused."""
    scope = Declarations({"patternProperties": {"^x": {}}, "properties": {}, "additionalProperties": False})
    assert Condition.parse("args.xyz == 1", scope)


def test_there_is_no_result_before_the_call() -> None:
    """`result` is a name only for rules that are asked after the call."""
    assert Condition.parse("result.ok == true", AFTER)
    with pytest.raises(PydanticCustomError, match="no 'result' before the call"):
        Condition.parse("result.ok == true", ANY)


def test_within_checks_against_the_tool() -> None:
    """An expression that was read without its tool is checked again with it."""
    loose = Condition.parse("args.amount == 'x'", ANY)
    with pytest.raises(PydanticCustomError, match="cannot be applied"):
        loose.within(Declarations(SCHEMA))


@pytest.mark.parametrize(("pattern", "at"), [("'('", 21), ("args.account", 25)])
def test_patterns_are_written_out_and_right(pattern: str, at: int) -> None:
    """A pattern that a caller could choose, or that is not one, is refused at load."""
    with pytest.raises(PydanticCustomError) as caught:
        Condition.parse(f"args.account.matches({pattern})", TYPED)
    assert caught.value.context is not None
    assert caught.value.context["offset"] == at
