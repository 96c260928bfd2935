"""Data that was never a file has places like one."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate.manifest.rendered import rendered

BODY: dict[str, Any] = {"key": 'a"\u00e9\U0001f600b', "list": [1, {"x": None}], "none": {}, "empty": []}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=10,
)


def test_every_value_and_key_has_its_place() -> None:
    """Lines and columns are those of the indented JSON, also within a string that has escapes."""
    document = rendered("overlay:x.y", BODY)
    lines = json.dumps(BODY, indent=2, ensure_ascii=False).split("\n")
    assert document.key_span(("list",)) == (3, 3)
    assert lines[2][2:].startswith('"list"')
    assert document.value_span(("list", 1, "x")) == (6, 12)
    assert lines[5][11:] == "null"
    assert document.locate(("key",), 4) == (2, 16)
    assert lines[1][15] == "b"
    assert document.value_span(()) == (1, 1)
    assert document.value_span(("missing",)) == (1, 1)


@given(VALUES)
def test_it_is_the_usual_form(value: Any) -> None:
    """What is placed is what everybody else writes."""
    assert rendered("x", value)._text == json.dumps(value, indent=2, ensure_ascii=False)
