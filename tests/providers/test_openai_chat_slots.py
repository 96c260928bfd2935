"""Tool calls from servers that number them well, badly or not at all."""

from __future__ import annotations

import msgspec
import pytest

from headgate.providers.openai_chat_slots import CallDelta, Slots

ONE, TWO = '{"a": 1}', '{"b": 2}'


def taken(*deltas: dict[str, object]) -> list[tuple[str, str, str]]:
    """Id, name and arguments of the calls that these pieces make."""
    slots = Slots()
    slots.take(msgspec.convert(deltas, tuple[CallDelta, ...]))
    return [(slot.id, slot.name, slot.raw) for slot in slots]


def piece(
    index: int | None = None, id: str | None = None, name: str | None = None, arguments: object = None
) -> dict[str, object]:
    """One piece as a server sends it; what is None is left out."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"function": function, **({} if index is None else {"index": index}), **({} if id is None else {"id": id})}


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param(
            [piece(0, "x", "f", ""), piece(0, None, None, ONE), piece(1, "y", "g", ""), piece(1, None, None, TWO)],
            id="as documented",
        ),
        pytest.param(
            [
                piece(0, "x", "f", '{"a"'),
                piece(1, "y", "g", '{"b"'),
                piece(0, arguments=": 1}"),
                piece(1, arguments=": 2}"),
            ],
            id="interleaved",
        ),
        pytest.param([piece(0, "x", "f", ONE), piece(1, "y", "g", TWO)], id="whole calls at once"),
        pytest.param([piece(0, "x", "f", ONE), piece(0, "y", "g", TWO)], id="all have number 0"),
        pytest.param([piece(None, "x", "f", ONE), piece(None, "y", "g", TWO)], id="no numbers"),
        pytest.param(
            [piece(None, "x", "f", '{"a": '), piece(None, None, None, "1}"), piece(None, "y", "g", TWO)],
            id="no numbers, pieces without ids",
        ),
        pytest.param(
            [piece(0, "x", "f", '{"a": '), piece(0, "x", "f", "1}"), piece(1, "y", "g", ""), piece(1, "y", "g", TWO)],
            id="id and name in every piece",
        ),
        pytest.param([piece(0, "x", "f", {"a": 1}), piece(1, "y", "g", {"b": 2})], id="objects instead of JSON"),
    ],
)
def test_two_calls(deltas: list[dict[str, object]]) -> None:
    """However they are numbered, two calls stay two, in order and whole."""
    calls = [(id, name, msgspec.json.decode(raw)) for id, name, raw in taken(*deltas)]
    assert calls == [("x", "f", {"a": 1}), ("y", "g", {"b": 2})]


def test_no_ids_and_one_number() -> None:
    """Without ids, a name after arguments that are whole begins another call."""
    assert taken(piece(0, "", "f", ONE), piece(0, "", "f", TWO)) == [("", "f", ONE), ("", "f", TWO)]


def test_repeated_id() -> None:
    """Two calls of one id are two when their numbers say so."""
    assert taken(piece(0, "x", "f", ONE), piece(1, "x", "f", TWO)) == [("x", "f", ONE), ("x", "f", TWO)]


def test_extra_content() -> None:
    """What a server adds to a call is kept, wherever it comes."""
    slots = Slots()
    slots.take(
        msgspec.convert([{"index": 0, "id": "x"}, {"index": 0, "extra_content": {"g": 1}}], tuple[CallDelta, ...])
    )
    assert [slot.extra for slot in slots] == [{"g": 1}]
