"""Conditions and texts over one call: answers, failures, and no way to crash."""

from __future__ import annotations

import gc
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from headgate.expressions.condition import Condition, ConditionError, ConditionText, Text, TextText
from tests.expressions.calls import AFTER, ANY, SCHEMA, TYPED, asked, outcome

ARGS: dict[str, Any] = {"amount": 150, "account": "ACME", "tags": ["a", "b"], "count": 3, "note": None}


@pytest.mark.parametrize(
    "text",
    [
        "tool.name == 'crm__pay' && tool.server == 'crm' && tool.kind == 'mcp'",
        "tool.destructive && tool.open_world && tool.idempotent && !tool.read_only && !tool.tainted",
        "agent.name == 'assistant' && session.id == 'sess_1' && session.team == 'ops' && session.key == 'local'",
        "session.channel == ''",
        "run.turn == 2 && run.depth == 0 && run.cost_usd > 0.5",
        "now.getHours() == 12 && now > timestamp('2026-01-01T00:00:00Z')",
        "tool.destructive || (tool.name == 'issue_credit' && args.amount > 100.0)",
        "args.amount * 2.0 == 300.0",
        "args.?note.orValue('x') == null && args.?count.orValue(7) == 3",
        "has(args.tags) && !has(args.lines)",
        "args.tags.exists(t, t == 'b') && 'a' in args.tags && size(args.tags) == 2",
        "has(tool.server) && tool['name'].startsWith('crm__')",
    ],
)
def test_conditions_see_the_call(text: str) -> None:
    """Every name of the manual is there and has its value, for typed rules."""
    assert Condition.parse(text, TYPED).holds(asked(ARGS, schema=SCHEMA))


def test_one_activation_serves_typed_and_untyped_rules() -> None:
    """The activation of a call fits every condition, whatever scope it was checked in."""
    activation = asked(ARGS, schema=SCHEMA)
    for scope in (ANY, TYPED, AFTER):
        assert Condition.parse("args.amount > 100.0", scope).holds(activation)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("args.gone > 1", "Key not found"),
        ("args.note > 1", "No matching overloads"),
        ("args.amount", "gave a whole number"),
        ("args.note", "gave null"),
        ("dyn(args.?note)", "gave an optional value, not true or false; end it with orValue"),
        ("args.tags", "gave a value of type list"),
        ("1 / (args.count - 3) > 0", "divide by zero"),
        ("args.count + 9223372036854775807 > 0", "overflow"),
        ("result.ok == true", "there is no result yet"),
    ],
)
def test_what_has_no_answer_is_an_error(text: str, reason: str) -> None:
    """A failing expression says so and never counts as true or false by itself."""
    with pytest.raises(ConditionError, match=reason) as caught:
        Condition.parse(text, AFTER).holds(asked(ARGS))
    assert caught.value.code == "condition_failed"


def test_an_error_that_does_not_matter_is_absorbed() -> None:
    """As CEL has it, one true side decides an `||`."""
    assert Condition.parse("args.gone > 1 || true", ANY).holds(asked(ARGS))


def test_a_result_is_seen_after_the_call() -> None:
    """The result is judged like the arguments; null is a result too."""
    assert Condition.parse("result.rows[0].id == 1", AFTER).holds(asked(result={"rows": [{"id": 1}]}))
    assert Condition.parse("result == null", AFTER).holds(asked(result=None))


def test_text_is_not_cut_at_a_nul() -> None:
    """A rule judges all that the tool gets, not only what stands before a NUL."""
    activation = asked({"path": "/safe\0/../etc"})
    assert Condition.parse("args.path.contains('..')", ANY).holds(activation)
    assert not Condition.parse("args.path == '/safe'", ANY).holds(activation)


def test_a_value_that_cannot_be_judged_fails_only_those_who_ask() -> None:
    """Rules that do not touch it go on; the others say why they cannot."""
    activation = asked({"x": float("nan")}, result="a" * 300_000)
    assert Condition.parse("tool.destructive", ANY).holds(activation)
    with pytest.raises(ConditionError, match="args cannot be judged: a number that is not a number"):
        Condition.parse("args.y == 1", ANY).holds(activation)
    with pytest.raises(ConditionError, match="result cannot be judged: larger than 256 KiB"):
        Condition.parse("result == ''", AFTER).holds(activation)


def test_reasons_hold_no_values() -> None:
    """What a failing rule says does not repeat an argument."""
    activation = asked({"x": ["hush-hush"], "key": "hush", "map": {}})
    for text in ("args.x > 1", "args.map[args.key] == 1", "int(args.key) == 1", "dyn(args.?key)"):
        with pytest.raises(ConditionError) as caught:
            Condition.parse(text, ANY).holds(activation)
        assert "hush" not in str(caught.value)


def test_text_gives_the_qualifier() -> None:
    """A text is typed like a condition, and anything but text is an error."""
    assert Text.parse("args.account", TYPED).value(asked(ARGS)) == "ACME"
    with pytest.raises(PydanticCustomError, match="gives a number, not a text"):
        Text.parse("args.amount", TYPED)
    with pytest.raises(ConditionError, match="gave null, not a text"):
        Text.parse("args.note", ANY).value(asked(ARGS))


class Rule(BaseModel):
    """A spec with both."""

    when: ConditionText
    qualifier: TextText | None = None


def test_specs_hold_compiled_expressions() -> None:
    """A scalar of a manifest becomes its expression; what is no text is told to be quoted."""
    rule = Rule.model_validate({"when": "args.x == 1", "qualifier": "args.y"})
    assert rule.when.holds(asked({"x": 1}))
    assert Rule.model_json_schema()["properties"]["when"]["x-cel"] is True
    with pytest.raises(ValidationError, match="quote it"):
        Rule.model_validate({"when": True})


def test_null_results_leave_none_alone() -> None:
    """Expressions that give null, thousands of times, do not use up references to None."""
    conditions = [Condition.parse(text, AFTER) for text in ("args.note", "args.note == null", "result")]
    activation = asked(ARGS, result=None)
    gc.collect()  # what other tests have left refers to None, too
    before = sys.getrefcount(None)
    for _ in range(3000):
        for condition in conditions:
            outcome(condition, activation)
    gc.collect()
    assert abs(sys.getrefcount(None) - before) < 500


def test_conditions_are_shared_between_threads() -> None:
    """Many threads ask the same conditions of the same activation and all hear the same."""
    condition = Condition.parse("args.tags.exists(t, t == 'b') && args.amount > 100", ANY)
    activation = asked(ARGS)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: [condition.holds(activation) for _ in range(200)], range(8)))
    assert all(all(each) for each in answers)
