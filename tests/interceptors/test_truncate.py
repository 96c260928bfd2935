"""Large results are shortened where the table says, and say so."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.core.messages import Image, Text, ToolResult
from headgate.interceptors.truncate import KIND, TruncateSpec
from headgate.testing.interceptor_kit import Listener, Tool, calling, opened


async def shortened(result: ToolResult, **keys: Any) -> ToolResult:
    """The result behind an interceptor of this table."""
    async with opened(KIND, keys) as truncate:
        return await truncate.around_tool(Listener().call(), calling(), Tool((result,)))


@pytest.mark.parametrize(
    ("keep", "text"),
    [
        ("head", "abcd\n[cut: 4 of 10 bytes are shown]"),
        ("tail", "[cut: 4 of 10 bytes are shown]\nghij"),
        ("middle", "ab\n[cut: 4 of 10 bytes are shown]\nij"),
    ],
)
async def test_text(keep: str, text: str) -> None:
    """The part that is kept is in the place of the first text; images stay."""
    image = Image("image/png", b"x")
    result = await shortened(ToolResult(content=(Text("abcde"), image, Text("fghij"))), max="4B", keep=keep)
    assert result.content == (Text(text), image)


async def test_characters_are_not_cut_in_two() -> None:
    """Of a character that does not fit nothing is left."""
    result = await shortened(ToolResult(content=(Text("ääää"),)), max="3B")
    assert result.content == (Text("ä\n[cut: 3 of 8 bytes are shown]"),)


async def test_data_that_is_too_large_becomes_text() -> None:
    """Half a structure is no JSON."""
    result = await shortened(ToolResult(structured={"name": "a long one"}), max="8B")
    assert (result.structured, result.payload) == (None, '{"name":\n[cut: 8 of 21 bytes are shown]')


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("head", [0, 1, "[cut: 2 of 5 items are shown]"]),
        ("tail", ["[cut: 2 of 5 items are shown]", 3, 4]),
        ("middle", [0, "[cut: 2 of 5 items are shown]", 4]),
    ],
)
async def test_items(keep: str, kept: list[Any]) -> None:
    """Long lists are shortened wherever they stand."""
    data = {"rows": [list(range(5)), "x"]}
    result = await shortened(ToolResult(structured=data), max_items=2, keep=keep)
    assert result.structured == {"rows": [kept, "x"]}


async def test_depth() -> None:
    """What lies deeper is left out; what is empty has no depth."""
    data = {"a": {"b": {"c": 1}, "d": {}, "e": 2}, "f": [[1]]}
    result = await shortened(ToolResult(structured=data), max_depth=2)
    cut = "[cut: nested too deeply]"
    assert result.structured == {"a": {"b": cut, "d": {}, "e": 2}, "f": [cut]}


async def test_what_is_small_stays_as_it_is() -> None:
    """The very same result comes back."""
    for made in (ToolResult(structured={"a": [1]}), ToolResult(content=(Text("abcd"),)), ToolResult()):
        assert await shortened(made, max="9B", max_items=2, max_depth=3) is made


def test_a_table_without_a_limit() -> None:
    """One that shortens nothing is refused."""
    with pytest.raises(ValueError, match="one of max, max_items and max_depth is needed"):
        TruncateSpec.model_validate({"kind": "truncate"})
