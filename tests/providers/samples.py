"""Builders of requests and messages with defaults, so that a test shows only what matters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from headgate.core.errors import ProviderError
from headgate.core.messages import ErrorInfo, Message, Part, Text, ToolCall, ToolOutcome, ToolResult
from headgate.core.ports import Model, ModelEvent, ModelRequest, ToolDefinition, TurnDone

MODEL = "claude-sonnet-5-5"
TOOL = ToolDefinition("lookup", "Looks things up.", {"type": "object", "properties": {"q": {"type": "string"}}})


def user(text: str = "hi") -> Message:
    """What the user says."""
    return Message("user", (Text(text),))


def assistant(*parts: Part) -> Message:
    """What the model said."""
    return Message("assistant", parts)


def call(id: str = "c1", name: str = "lookup", **args: Any) -> ToolCall:
    """A tool call."""
    return ToolCall(id, name, args)


def answer(structured: Any = None, id: str = "c1", *, text: str = "", error: str = "") -> Message:
    """The user message with one tool result."""
    info = ErrorInfo("tool_error", error) if error else None
    content = (Text(text),) if text else ()
    result = ToolResult("error" if error else "ok", content, structured, info)
    return Message("user", (ToolOutcome(id, "lookup", result),))


def ask(*messages: Message, **more: Any) -> ModelRequest:
    """A request to the default model."""
    return replace(ModelRequest(model=MODEL, system="", messages=messages or (user(),), run="r"), **more)


async def play(model: Model, request: ModelRequest | None = None) -> list[ModelEvent]:
    """All events of a turn."""
    return [event async for event in model.stream(request or ask())]


async def finish(model: Model, request: ModelRequest | None = None) -> TurnDone:
    """The end of a turn."""
    done = (await play(model, request))[-1]
    assert isinstance(done, TurnDone)
    return done


async def failure(model: Model, request: ModelRequest | None = None) -> ProviderError:
    """The error of a turn that fails."""
    try:
        await play(model, request)
    except ProviderError as error:
        return error
    raise AssertionError("the turn did not fail")
