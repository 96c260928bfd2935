"""Values in columns, and back."""

from __future__ import annotations

import pytest

from headgate.core.errors import StoreError
from headgate.core.messages import Usage
from headgate.stores.records import new_run_id, new_session_id
from headgate.stores.sql.log import page
from headgate.stores.sql.rows import bind, clean, exchanges, run_record


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain \u2028 é 🙂 \x1b", "plain \u2028 é 🙂 \x1b"),
        ("a\ud800b", "a\ufffdb"),
        ("\udc00\udc00", "\ufffd\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ud800\0", "\ufffd\ufffd"),
    ],
)
def test_clean(text, wanted):
    """Only what no database takes is replaced."""
    assert clean(text) == wanted


def test_bind():
    """Plain values stay, and structured ones become JSON text."""
    assert [bind(value) for value in (None, 1, 2.5, "é")] == [None, 1, 2.5, "é"]
    assert bind(Usage(input=1)) == '{"input":1}'
    assert bind({"a": [1, "é"]}) == '{"a":[1,"é"]}'


def test_no_json_form():
    """A value without a JSON form is an error of the store, however deep it is."""
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for value in ({"x": object()}, {"x": deep}, {"x\ud800": object()}):
        with pytest.raises(StoreError, match="no JSON form"):
            bind(value)


def test_damaged_row():
    """A row that was damaged from outside is an error of the store that says so."""
    with pytest.raises(StoreError, match="cannot be read"):
        exchanges([("run_1", "", "completed", "user", '[{"type":"telepathy"}]', None)])
    with pytest.raises(StoreError, match="cannot be read"):
        run_record((*["x"] * 10, "not JSON", *[None] * 14))


def test_unknown_event():
    """An event that no build knows, or that is damaged, is an error of the store that says so."""
    for kind, data, reason in (
        ("mind.read", "{}", "no build knows the event 'mind.read'"),
        ("text.delta", "{", "Expected `array`"),
    ):
        with pytest.raises(StoreError, match=reason):
            page([("run_1", 1, 1, 1, kind, 1, "", 1.0, data)], (0, 0), 9)


def test_ids():
    """Ids are a prefix and 32 hexadecimal digits, and no two are the same."""
    assert {len(new_run_id().removeprefix("run_")), len(new_session_id().removeprefix("sess_"))} == {32}
    assert int(new_run_id().removeprefix("run_"), 16) != int(new_run_id().removeprefix("run_"), 16)
