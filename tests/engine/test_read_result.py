"""`read_result` gives every byte of what was cut, in pieces or as the answer to a query."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from headgate.core.context import ToolContext
from headgate.core.errors import ToolError
from headgate.core.messages import encode
from headgate.engine.read_result import NOTE, ReadResult
from headgate.engine.spill import Spill

ROWS = {"rows": [{"n": n, "name": f"Zürich {n}"} for n in range(100)]}
TEXT = "aé€😀" * 50
LIMIT = 64


@pytest.fixture
async def tool(tmp_path: Path) -> AsyncIterator[ReadResult]:
    """The tool of a run that keeps a table, a text and a text that is not UTF-8 where it is cut."""
    with Spill(tmp_path, 1 << 20) as spill:
        await spill.keep("table", encode(ROWS))
        await spill.keep("text", TEXT.encode())
        yield ReadResult(spill, LIMIT)


async def read(tool: ReadResult, handle: str, **args: Any) -> Any:
    """The payload of one call."""
    return (await tool.call({"handle": handle, **args}, cast(ToolContext, None))).payload


@pytest.mark.parametrize("length", [1, 4, 5, 7, 63, 64, 1000])
async def test_reading_on(tool: ReadResult, length: int) -> None:
    """Whoever goes on where the note says reads every character once, whatever the length of the pieces."""
    offset, said = 0, ""
    while True:
        piece = await read(tool, "text", offset=offset, length=length)
        body, note = piece.rsplit("\n", 1)
        said += body
        assert len(piece.encode()) <= LIMIT + NOTE
        if note.endswith("this is its end]"):
            break
        offset = int(re.findall(r"go on with offset (\d+)", note)[0])
    assert said == TEXT


async def test_a_query(tool: ReadResult) -> None:
    """A JMESPath expression is applied to the whole result; nothing found is null."""
    assert await read(tool, "table", query="rows[?n==`42`].name | [0]") == "Zürich 42"
    assert await read(tool, "table", query="length(rows)") == 100
    assert await read(tool, "table", query="nothing.here") == "null"


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ({"handle": "nope"}, "unknown_handle", "nothing is kept under 'nope'; this run keeps table, text"),
        ({"handle": "text", "offset": 5000}, "invalid_arguments", "offset 5000 is behind its end"),
        ({"handle": "text", "query": "a"}, "invalid_arguments", "not JSON"),
        ({"handle": "table", "query": "rows["}, "invalid_arguments", "query: "),
        ({"handle": "table", "query": "lenth(rows)"}, "invalid_arguments", "did you mean length"),
        ({"handle": "table", "query": "abs(rows)"}, "invalid_result", "does not fit"),
        ({"handle": "table", "query": "rows", "offset": 1}, "invalid_arguments", "query goes alone"),
    ],
)
async def test_what_cannot_be_read(tool: ReadResult, args: dict[str, Any], code: str, message: str) -> None:
    """The model is told what is wrong and what would be right."""
    with pytest.raises(ToolError, match=re.escape(message)) as caught:
        await tool.call(args, cast(ToolContext, None))
    assert caught.value.code == code
