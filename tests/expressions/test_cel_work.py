"""Budgets: large loops, growing text, deep nesting and slow patterns are stopped before they cost anything."""

from __future__ import annotations

import pytest
from pydantic_core import PydanticCustomError

from headgate.expressions.condition import Condition, ConditionError
from tests.expressions.calls import ANY, asked


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("args.a.all(x, args.a.all(y, args.a.all(z, true)))", {"a": [1] * 200}),
        ("args.a.map(x, args.s + x).size() > 1", {"s": "a" * 10_000, "a": ["b"] * 9_000}),
        ("args.a.all(x, !args.s.contains(x))", {"s": "a" * 100_000, "a": ["b"] * 2_000}),
        ("args.a.all(x, args.a == args.a)", {"a": ["b"] * 9_000}),
        ("args.a.map(x, args.a + [x]).size() > 1", {"a": ["b"] * 9_000}),
        ("args.a.all(x, x.all(y, x == x))", {"a": [["b"] * 8_000, *([[]] * 800)]}),
        ("args.a.all(x, x.all(y, y.all(z, y == y)))", {"a": [[["b"] * 8_000], *([[]] * 800)]}),
        ("args.a.map(x, x).size() > 1", {"a": [1] * 9_000}),
        ("args.a.filter(x, true).size() > 1", {"a": [1] * 9_000}),
        ("args.a.map(x, x.map(y, y)).size() > 1", {"a": [[1] * 5_000, [1] * 5_000]}),
        ("args.a.all(x, true)", {"a": [1] * 10_001}),
        ("args.?s.optMap(s, args.a.map(x, s + s)).orValue([]).size() > 1", {"s": "a" * 50_000, "a": [1] * 500}),
    ],
)
def test_work_beyond_the_budget_fails(text: str, args: dict[str, object]) -> None:
    """What a caller's arguments make large is refused, not done."""
    with pytest.raises(ConditionError) as caught:
        Condition.parse(text, ANY).holds(asked(args))
    assert caught.value.code == "condition_budget"


@pytest.mark.parametrize(
    "text",
    [
        "['a']" + ".map(x, x + x)" * 28 + "[0] == 'a'",
        "[[1]]" + ".map(x, [x, x])" * 28 + " == []",
    ],
)
def test_an_expression_that_always_takes_too_much_is_refused_at_load(text: str) -> None:
    """Text or lists that double with each link of a chain never reach a call."""
    with pytest.raises(PydanticCustomError) as caught:
        Condition.parse(text, ANY)
    assert "too much work" in caught.value.message()


def test_a_chain_of_optional_maps_is_refused_before_it_is_compiled() -> None:
    """Each link would double the tree, so that a short text could fill the memory at load."""
    assert Condition.parse("optional.of('a')" + ".optMap(x, x + x)" * 4 + ".value() == 'a'", ANY)
    with pytest.raises(PydanticCustomError) as caught:
        Condition.parse("optional.of('a')" + ".optMap(x, x + x)" * 5 + ".value() == 'a'", ANY)
    assert caught.value.context == {"offset": 85, "hint": "use orValue() instead"}


@pytest.mark.parametrize(
    "text",
    [
        "args.rows.exists(r, r.plan == args.plan && r.amount + r.tax > 10)",
        "args.rows.filter(r, r.plan == 'gold').map(r, r.name + '!').size() == 500",
        "args.rows.all(r, r.name.matches('(n+)+[0-9]*$'))",
        "args.rows.all(r, r.tags.all(t, t.startsWith('t')))",
    ],
)
def test_ordinary_rules_over_many_rows_are_not_refused(text: str) -> None:
    """The bound leaves room for what rules do with a large but usual argument."""
    rows = [{"name": f"n{n}", "plan": "gold", "amount": n, "tax": 1, "tags": ["t1", "t2"]} for n in range(500)]
    assert Condition.parse(text, ANY).holds(asked({"rows": rows, "plan": "gold"}))


def test_patterns_run_in_linear_time() -> None:
    """The classic bomb of backtracking engines ends."""
    assert not Condition.parse("args.s.matches('^(a+)+$')", ANY).holds(asked({"s": "a" * 200_000 + "b"}))
