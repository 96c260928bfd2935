"""Interceptors: folded once, the first of a file outermost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from headgate.compile.chain import around_model, around_tool
from headgate.core.context import ToolContext
from headgate.core.messages import Text, ToolCall, ToolResult
from headgate.core.ports import ModelEvent, ModelNext, ModelRequest, TextChunk, ToolNext
from headgate.testing.tool_kit import Listener


@dataclass(frozen=True, slots=True)
class Bracket:
    """Puts its mark around whatever passes."""

    mark: str

    async def around_model(self, request: ModelRequest, call_next: ModelNext, /) -> AsyncIterator[ModelEvent]:
        """Marks the beginning and the end of the turn."""
        yield TextChunk(f"<{self.mark}")
        async for event in call_next(request):
            yield event
        yield TextChunk(f"{self.mark}>")

    async def around_tool(self, call: ToolCall, ctx: ToolContext, call_next: ToolNext, /) -> ToolResult:
        """Marks the result."""
        inner = await call_next(call, ctx)
        return ToolResult(content=(Text(f"<{self.mark}"), *inner.content, Text(f"{self.mark}>")))


class Refusal(Bracket):
    """Answers by itself."""

    async def around_tool(self, call: ToolCall, ctx: ToolContext, call_next: ToolNext, /) -> ToolResult:
        """Never calls the tool."""
        return ToolResult(content=(Text("refused"),))


async def _model(request: ModelRequest) -> AsyncIterator[ModelEvent]:
    yield TextChunk(request.model)


async def _tool(call: ToolCall, ctx: ToolContext) -> ToolResult:
    return ToolResult(content=(Text(call.name),))


def _texts(result: ToolResult) -> list[str]:
    return [part.text for part in result.content if isinstance(part, Text)]


async def test_the_first_interceptor_is_outermost_around_a_model() -> None:
    """Events pass from the innermost to the outermost."""
    stream = around_model([Bracket("a"), Bracket("b")], _model)
    texts = [event.text async for event in stream(ModelRequest("m", "", ())) if isinstance(event, TextChunk)]
    assert texts == ["<a", "<b", "m", "b>", "a>"]


async def test_the_first_interceptor_is_outermost_around_a_tool() -> None:
    """Results pass from the innermost to the outermost, for every call anew."""
    call = around_tool(iter([Bracket("a"), Bracket("b")]), _tool)
    for _ in range(2):
        result = await call(ToolCall("1", "t", {}), Listener().context())
        assert _texts(result) == ["<a", "<b", "t", "b>", "a>"]


async def test_an_interceptor_may_answer_by_itself() -> None:
    """What is outside of it still sees its answer; what is inside is not asked."""
    call = around_tool([Bracket("a"), Refusal("b"), Bracket("c")], _tool)
    assert _texts(await call(ToolCall("1", "t", {}), Listener().context())) == ["<a", "refused", "a>"]


def test_without_interceptors_nothing_is_wrapped() -> None:
    """The hot path has no extra hop."""
    assert around_model([], _model) is _model
    assert around_tool([], _tool) is _tool
