"""Folds interceptors around a model and around a tool, once per snapshot, outermost first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from headgate.core.context import ToolContext
from headgate.core.messages import ToolCall, ToolResult
from headgate.core.ports import Interceptor, ModelEvent, ModelNext, ModelRequest, ToolNext


def around_model(interceptors: Iterable[Interceptor], model: ModelNext) -> ModelNext:
    """`model` behind every interceptor."""
    for interceptor in reversed(tuple(interceptors)):
        model = _model_link(interceptor, model)
    return model


def around_tool(interceptors: Iterable[Interceptor], tool: ToolNext) -> ToolNext:
    """`tool` behind every interceptor."""
    for interceptor in reversed(tuple(interceptors)):
        tool = _tool_link(interceptor, tool)
    return tool


def _model_link(interceptor: Interceptor, inner: ModelNext) -> ModelNext:
    def stream(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        return interceptor.around_model(request, inner)

    return stream


def _tool_link(interceptor: Interceptor, inner: ToolNext) -> ToolNext:
    async def call(wanted: ToolCall, ctx: ToolContext) -> ToolResult:
        return await interceptor.around_tool(wanted, ctx, inner)

    return call
