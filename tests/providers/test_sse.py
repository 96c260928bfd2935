"""The incremental parser of server-sent events."""

from __future__ import annotations

import pytest

from headgate.providers.sse import Events

STREAM = 'event: a\ndata: {"x": "zwölf €"}\n\n: ping\n\ndata: one\ndata: two\n\nid: 7\ndata:three\n\n'.encode()
DATA = ['{"x": "zwölf €"}'.encode(), b"one\ntwo", b"three"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 1000])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_any_split(size: int, ending: bytes) -> None:
    """Chunks may end anywhere, inside a character or a line ending too, and lines may end in any of three ways."""
    events, raw = Events(), STREAM.replace(b"\n", ending)
    out = [data for at in range(0, len(raw), size) for data in events.feed(raw[at : at + size])]
    assert out == DATA


def test_many_in_one_chunk() -> None:
    """One chunk may complete several events, and an incomplete one waits."""
    events = Events()
    assert events.feed(b"data: 1\n\ndata: 2\n\ndata: 3\n") == [b"1", b"2"]
    assert events.feed(b"\n") == [b"3"]


def test_without_data() -> None:
    """An event without data is none."""
    assert Events().feed(b"event: ping\n\n\n\n") == []


@pytest.mark.parametrize("raw", [b"data: " + b"x" * 40, b"data: 0123456789\n" * 3])
def test_limit(raw: bytes) -> None:
    """An event beyond the limit is refused, in one line or in many."""
    with pytest.raises(ValueError, match="larger than 32 bytes"):
        Events(limit=32).feed(raw)
