"""The built-in tool `read_result`: reads on in a result that was larger than `[limits] tool_output`.

It is offered to the run whose tool said so much, as soon as something is kept, and to no other.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
from pydantic_core import PydanticCustomError

from headgate.core.context import ToolContext
from headgate.core.errors import ToolError
from headgate.core.messages import Text, ToolResult
from headgate.core.ports import Annotations, ToolDefinition
from headgate.engine.spill import Kept, Spill
from headgate.expressions.shape import Shape

NAME = "read_result"
NOTE = 256
"""The most bytes that a piece has beyond its text."""
_CHARACTER = 4
"""The most bytes of one character in UTF-8: no piece is smaller, or reading would not get on."""
_TIMEOUT = 30.0
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "handle": {"type": "string", "description": "The handle that the cut result names."},
        "offset": {"type": "integer", "minimum": 0, "description": "The byte to begin at; 0 when it is not given."},
        "length": {"type": "integer", "minimum": 1, "description": "How many bytes to read; as many as may be shown."},
        "query": {
            "type": "string",
            "description": "A JMESPath expression that is applied to the whole result, which must be JSON; in place of "
            "offset and length.",
        },
    },
    "required": ["handle"],
    "additionalProperties": False,
}
DEFINITION = ToolDefinition(
    NAME,
    "Reads a tool's result of which only the beginning was shown: a piece of it, or what a JMESPath expression finds.",
    _SCHEMA,
    Annotations(read_only=True, destructive=False, idempotent=True, open_world=False),
    kind="built-in",
)


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The tool of one run; a piece has at most `limit` bytes of text."""

    spill: Spill
    limit: int
    definition: ToolDefinition = DEFINITION
    timeout: float = _TIMEOUT

    async def call(self, args: dict[str, Any], _ctx: ToolContext, /) -> ToolResult:
        """A piece as text, or the result of the query as JSON."""
        kept = self.spill.kept.get(args["handle"])
        if kept is None:
            held = ", ".join(self.spill.kept)
            raise ToolError("unknown_handle", f"nothing is kept under {args['handle']!r}; this run keeps {held}")
        query = args.get("query")
        if query is None:
            offset, length = args.get("offset", 0), min(args.get("length", self.limit), self.limit)
            return await asyncio.to_thread(self._piece, kept, offset, max(length, _CHARACTER))
        if "offset" in args or "length" in args:
            raise ToolError("invalid_arguments", "query goes alone, without offset and length")
        return await asyncio.to_thread(self._query, kept, _shape(query))

    def _piece(self, kept: Kept, offset: int, length: int) -> ToolResult:
        if offset >= kept.size:
            raise ToolError("invalid_arguments", f"the result has {kept.size} bytes; offset {offset} is behind its end")
        raw = self.spill.read(kept, offset, length)
        end = offset + _whole(raw) if offset + len(raw) < kept.size else kept.size
        text = raw[: end - offset].decode("utf-8", "ignore")
        more = f"go on with offset {end}" if end < kept.size else "this is its end"
        return ToolResult(content=(Text(f"{text}\n[bytes {offset} to {end} of {kept.size}; {more}]"),))

    def _query(self, kept: Kept, shape: Shape) -> ToolResult:
        try:
            value = msgspec.json.decode(self.spill.read(kept, 0, kept.size))
        except (msgspec.DecodeError, RecursionError):
            raise ToolError(
                "invalid_arguments", "the result is not JSON, so it has no query; read it by offset"
            ) from None
        found = shape.apply(value)
        return ToolResult(content=(Text("null"),)) if found is None else ToolResult(structured=found)


def _shape(query: str) -> Shape:
    try:
        return Shape.parse(query)
    except PydanticCustomError as error:
        raise ToolError("invalid_arguments", f"query: {error.message()}") from None


def _whole(raw: bytes) -> int:
    """How many bytes there are up to the end of the last character that is whole."""
    for back in range(1, min(_CHARACTER, len(raw)) + 1):
        byte = raw[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:  # the first byte of a character, which says how many it has
            wanted = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(raw) - back if back < wanted else len(raw)
    return len(raw)
