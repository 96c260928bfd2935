"""Interceptors of kind `truncate`: results that are too large for a model are shortened, and say so."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.context import ToolContext
from headgate.core.kind import Env, Kind, pure
from headgate.core.messages import Content, Text, ToolCall, ToolResult, encode
from headgate.core.ports import ToolNext
from headgate.core.scalars import SomeSize
from headgate.interceptors.common import InterceptorSpec, Passing

Keep = Literal["head", "tail", "middle"]
Positive = Annotated[int, Field(ge=1)]
_DEEP = "[cut: nested too deeply]"


class TruncateSpec(InterceptorSpec):
    """Shortens large results. What is cut off here cannot be read back; `limits.tool_output` keeps it."""

    kind: Literal["truncate"]
    max: SomeSize | None = None
    """How many bytes of a result are kept, as JSON or as text; a structure that is still larger becomes text."""
    max_items: Positive | None = None
    """How many items of each list are kept."""
    max_depth: Positive | None = None
    """How many levels of tables and lists are kept."""
    keep: Keep = "head"
    """Which part is kept: the beginning, the end, or both ends without the middle."""

    @model_validator(mode="after")
    def _something(self) -> TruncateSpec:
        if self.max is None and self.max_items is None and self.max_depth is None:
            raise PydanticCustomError("truncate", "one of max, max_items and max_depth is needed")
        return self


class Truncate(Passing):
    """Shortens lists and depth first, and then what is still too large."""

    def __init__(self, spec: TruncateSpec) -> None:
        self._spec = spec

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        """The call, with its result shortened."""
        result = await call_next(call, ctx)
        shorter = self._shaped(result.structured, 1)
        if shorter is not result.structured:
            result = msgspec.structs.replace(result, structured=shorter)
        return result if self._spec.max is None else self._fitted(result, self._spec.max)

    def _shaped(self, value: Any, depth: int) -> Any:
        """The value within the limits of items and depth; the very same one when it is."""
        if not isinstance(value, dict | list | tuple) or not value:
            return value
        if self._spec.max_depth is not None and depth > self._spec.max_depth:
            return _DEEP
        if isinstance(value, dict):
            pairs = {name: self._shaped(each, depth + 1) for name, each in value.items()}
            return pairs if any(pairs[name] is not each for name, each in value.items()) else value
        most = self._spec.max_items
        items = [self._shaped(each, depth + 1) for each in value]
        if most is not None and len(items) > most:
            note = f"[cut: {most} of {len(items)} items are shown]"
            return _kept(items, most, self._spec.keep, [note])
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value

    def _fitted(self, result: ToolResult, most: int) -> ToolResult:
        if result.structured is not None:
            data = encode(result.structured)
            if len(data) <= most:
                return result
            rest = tuple(part for part in result.content if not isinstance(part, Text))
            return msgspec.structs.replace(result, structured=None, content=(Text(self._cut(data, most)), *rest))
        data = "".join(part.text for part in result.content if isinstance(part, Text)).encode("utf-8", "replace")
        if len(data) <= most:
            return result
        return msgspec.structs.replace(result, content=_with_text(result.content, self._cut(data, most)))

    def _cut(self, data: bytes, most: int) -> str:
        """The part that is kept, with a note at the place of the rest."""
        note = f"\n[cut: {most} of {len(data)} bytes are shown]\n".encode()
        return bytes(_kept(data, most, self._spec.keep, note)).decode("utf-8", "ignore").strip("\n")


def _kept(value: Any, most: int, keep: Keep, note: Any) -> Any:
    if keep == "head":
        return value[:most] + note
    if keep == "tail":
        return note + value[len(value) - most :]
    head = most - most // 2
    return value[:head] + note + value[len(value) - (most - head) :]


def _with_text(content: tuple[Content, ...], text: str) -> tuple[Content, ...]:
    """The content with all its text in the place of the first."""
    at = next(index for index, part in enumerate(content) if isinstance(part, Text))
    rest = [part for part in content if not isinstance(part, Text)]
    return (*rest[:at], Text(text), *rest[at:])


@contextlib.asynccontextmanager
async def open_interceptor(spec: TruncateSpec, _env: Env) -> AsyncIterator[Truncate]:
    """The interceptor; it holds nothing."""
    yield Truncate(spec)


KIND: Kind[TruncateSpec, Truncate] = Kind(
    "truncate", "Large results are shortened.", TruncateSpec, open_interceptor, pure=pure
)
"""The registration of the kind."""
