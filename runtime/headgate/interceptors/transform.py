"""Interceptors of kind `transform`: what a tool is given, or what it answers, is shaped by JMESPath on its way."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Literal

import msgspec
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from headgate.core.context import ToolContext
from headgate.core.errors import PolicyRefused, ToolError
from headgate.core.kind import Env, Kind, pure
from headgate.core.messages import Text, ToolCall, ToolResult
from headgate.core.ports import ToolNext
from headgate.expressions.shape import Shape, ShapeText
from headgate.interceptors.common import InterceptorSpec, Passing, unheard


class TransformSpec(InterceptorSpec):
    """Shapes arguments or results with JMESPath. A shape that fails refuses the call."""

    kind: Literal["transform"]
    arguments: ShapeText | None = None
    """What the tool is given instead: a JMESPath expression on the arguments, for a table that fits the tool's input
    schema."""
    result: ShapeText | None = None
    """What the model sees instead: a JMESPath expression on the data of a result, or on its text if it has none. A
    failed call stays as it is."""

    @model_validator(mode="after")
    def _something(self) -> TransformSpec:
        if self.arguments is None and self.result is None:
            raise PydanticCustomError("transform", "one of arguments and result is needed")
        return self


class Transform(Passing):
    """Shapes on the way in and on the way out."""

    def __init__(self, spec: TransformSpec) -> None:
        self._arguments, self._result = spec.arguments, spec.result

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        """The call with other arguments, or another result; that they fit the tool is checked for all interceptors."""
        if self._arguments is not None and not ctx.resumed:
            args = _shaped(self._arguments, call.args or {}, "arguments")
            if not isinstance(args, dict):
                raise PolicyRefused("the shape of the arguments gives no table", code="transform_failed")
            call = msgspec.structs.replace(call, args=args)
        if self._result is None:
            return await call_next(call, ctx)
        result = await call_next(call, unheard(ctx))
        if result.error is not None:
            return result
        rest = tuple(part for part in result.content if not isinstance(part, Text))
        shaped = _shaped(self._result, result.payload, "result")
        if isinstance(shaped, str) or shaped is None:
            return msgspec.structs.replace(result, structured=None, content=(Text(shaped or ""), *rest))
        return msgspec.structs.replace(result, structured=shaped, content=rest)


def _shaped(shape: Shape, value: Any, noun: str) -> Any:
    try:
        return shape.apply(value)
    except ToolError as error:
        said = f"the {noun} cannot be shaped: {error.message}"
        raise PolicyRefused(said, code="transform_failed") from None


@contextlib.asynccontextmanager
async def open_interceptor(spec: TransformSpec, _env: Env) -> AsyncIterator[Transform]:
    """The interceptor; it holds nothing."""
    yield Transform(spec)


KIND: Kind[TransformSpec, Transform] = Kind(
    "transform", "Arguments or results are shaped.", TransformSpec, open_interceptor, pure=pure
)
"""The registration of the kind."""
