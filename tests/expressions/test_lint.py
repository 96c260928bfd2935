"""Members that a JMESPath expression names and that its samples do not have."""

from __future__ import annotations

import pytest

from headgate.expressions.lint import MAX_VALUES, absent
from headgate.expressions.shape import Shape

CUSTOMER = {"plan_name": "gold", "since": None, "old": [], "invoices": [{"number": 1, "paid": False}]}
SAMPLES = [{"results": [CUSTOMER], "by": {"eu": {"sum": 1}}}, {"results": [], "next": "b"}]


def found(text: str) -> list[tuple[int, str]]:
    return [(each.offset, each.hint) for each in absent(Shape.parse(text), SAMPLES)]


@pytest.mark.parametrize(
    "text",
    [
        "results[0].{plan: plan_name, open: invoices[?paid==`false`].number}",
        "results[].{name: plan_name} | sort_by(@, &name)[-1].name",
        "max_by(results, &plan_name).invoices[-1:].[number, paid]",
        "map(&invoices[].number, results)[]",
        "by.*.sum | [0]",
        "[@.next, keys(by), length(results)]",
        "results[0].since.year",
        "results[].old[].whatever",
        "results[7].whatever",
        "keys(by)[0].whatever",
    ],
)
def test_what_is_there_or_unknown_is_not_blamed(text: str) -> None:
    """One sample that has a member is enough, and what nulls, empty lists and functions hide is unknown."""
    assert found(text) == []


@pytest.mark.parametrize("text", ["a || next", "results[?a && b]", "!a", "not_null(a, next)", "results[?a==`null`]"])
def test_what_is_asked_for_in_doubt_may_be_missing(text: str) -> None:
    """An expression that provides for a missing member is no mistake."""
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "offset", "hint"),
    [
        ("results[0].{plan: plan_nam}", 18, "did you mean 'plan_name'?"),
        ("reslts[].x", 0, "did you mean 'results'?"),
        ("results.plan_name", 8, "it is a list; [].plan_name is that of each item"),
        ("next.zzz", 5, "it is one value"),
        ("results[?status=='x'].plan_name", 9, "there are invoices, old, plan_name, since"),
        ('results[].invoices[*]."no"', 22, "there are number, paid"),
        ("by.*.zzz", 5, "there are sum"),
        ("sort_by(results, &zzz)[0]", 18, "there are invoices, old, plan_name, since"),
        ("map(&zzz, results)", 5, "there are invoices, old, plan_name, since"),
        ("results[].{a: plan_name} | [0].zzz", 31, "there are a"),
        ("results[?plan_name!=null]", 20, "write the value null in backticks"),
        ("results[0:1].zzz", 13, "there are invoices, old, plan_name, since"),
    ],
)
def test_a_member_that_no_sample_has(text: str, offset: int, hint: str) -> None:
    """It is found at its place, with what was meant or what there is."""
    assert found(text) == [(offset, hint)]


def test_every_absence_is_found_in_order() -> None:
    """One does not hide another, and a filter comes before what it filters for."""
    assert [offset for offset, _ in found("{a: zz, b: results[?yy=='x'].xx}")] == [4, 20, 29]


@pytest.mark.parametrize(
    "text",
    [".".join(["results"] * 250), "[@,@]" + "[] | [@,@]" * 60 + "[]", "{a:@,b:@}" + "|{a:@,b:@}" * 150],
)
def test_expressions_that_explode(text: str) -> None:
    """Depth and doubling are bounded, as they are when the expression is applied."""
    assert len(absent(Shape.parse(text), SAMPLES)) <= MAX_VALUES
