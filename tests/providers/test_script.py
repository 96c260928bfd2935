"""The script syntax."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headgate.core.scalars import Interpolated
from headgate.providers.placeholders import fill, fill_text
from headgate.providers.script import parse_script

RESULT = {"plan": "gold", "invoices": [{"number": 7}], "open-days": None}


def test_every_form() -> None:
    """All turns of the manifest page are read."""
    turns = parse_script(
        [
            {"text": "Hi {{ user }}", "thinking": "hm", "delay": "20ms", "when": {"user_contains": "hello"}},
            {"call": "lookup", "args": {"name": "ACME"}},
            {"calls": [{"call": "a"}, {"call": "b", "args": {"x": 1}}], "text": "both"},
            {"error": 529},
            {"delay": "20ms"},
        ]
    )
    assert turns[0].delay == 0.02
    assert [call.call for turn in turns for call in turn.all_calls] == ["lookup", "a", "b"]
    assert [turn.pause_only for turn in turns] == [False, False, False, False, True]


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        ({"text": "x"}, (), "tuple"),
        ([], (), "at least 1"),
        (["x"], (0,), "dictionary"),
        ([{}], (0,), "needs text"),
        ([{"when": {"user_contains": "x"}}], (0,), "needs text"),
        ([{"text": "a"}, {"txt": "b"}], (1, "txt"), "Extra inputs"),
        ([{"args": {}}], (0,), "args needs call"),
        ([{"call": "a", "calls": [{"call": "b"}]}], (0,), "exclude each other"),
        ([{"error": 529, "text": "x"}], (0,), "stands alone"),
        ([{"error": 200}], (0, "error"), "greater than or equal to 400"),
        ([{"delay": "soon"}], (0, "delay"), "not a duration"),
        ([{"text": "a", "when": {}}], (0, "when"), "is needed"),
        ([{"text": "{{ name }}"}], (0, "text"), "unknown placeholder {{ name }}"),
        ([{"call": "a", "args": {"x": [{"y": "{{ result..z }}"}]}}], (0, "args"), "unknown placeholder"),
    ],
)
def test_bad_scripts(data: Any, place: tuple[str | int, ...], words: str) -> None:
    """A bad script is refused at its place, with a sentence that says what is wrong."""
    with pytest.raises(ValidationError) as caught:
        parse_script(data)
    first = caught.value.errors()[0]
    assert first["loc"] == place
    assert words in first["msg"]


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{ user }}!", "ACME?!"),
        ("{{user}} {{ result.plan }}", "ACME? gold"),
        ("{{ result.invoices[0].number }}", "7"),
        ("{{ result.invoices.0 }}", '{"number":7}'),
        ("{{ result.open-days }}", "null"),
        ("no { braces } {{", "no { braces } {{"),
    ],
)
def test_filled_text(text: str, filled: str) -> None:
    """Placeholders take the user's words and parts of the latest result; other braces stay."""
    assert fill_text(text, "ACME?", ["older", RESULT]) == filled


def test_filled_arguments() -> None:
    """A string that is one placeholder takes over its type; strings inside lists and objects are filled too."""
    args = {"n": "{{ result.invoices[0].number }}", "all": ["{{ result }}", 5], "q": {"s": "is {{ result.plan }}"}}
    assert fill(args, "", [RESULT]) == {"n": 7, "all": [RESULT, 5], "q": {"s": "is gold"}}


@pytest.mark.parametrize("text", ["{{ result.nope }}", "x {{ result.invoices[3] }}", "{{ result.plan.x }}"])
def test_missing_part(text: str) -> None:
    """A part that the result does not have is an error, not an empty word."""
    with pytest.raises(LookupError, match="the latest tool result has no"):
        fill_text(text, "", [RESULT])


def test_no_result_yet() -> None:
    """Before the first tool result there is nothing to fill in."""
    with pytest.raises(LookupError, match="no tool result yet"):
        fill_text("{{ result }}", "", [])


def test_references_are_data() -> None:
    """What came from a reference is not read as a placeholder."""
    text = Interpolated("{{ user }} {{ user }}", ((0, 10),))
    (turn,) = parse_script([{"text": text}])
    assert fill_text(turn.text or "", "me", []) == "{{ user }} me"
    (odd,) = parse_script([{"text": Interpolated("{{ odd }}", ((0, 9),))}])
    assert odd.text == "{{ odd }}"
