"""The JSON forms of what runs are made of: usage, errors, results, parts of messages. Every member is always there."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.messages import (
    ErrorInfo,
    File,
    Image,
    Message,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolOutcome,
    ToolResult,
    Usage,
)


class ErrorView(msgspec.Struct):
    """Why something failed, and whether trying again can help."""

    code: str
    message: str
    retryable: bool


class FailureView(ErrorView):
    """Why a tool call failed; `details` are for programs, and differ by code."""

    details: dict[str, Any]


class UsageView(msgspec.Struct):
    """Tokens by class; the input classes do not overlap, and `reasoning` is part of `output`."""

    input: int
    output: int
    cache_write: int
    cache_write_1h: int
    cache_read: int
    reasoning: int


class ResultView(msgspec.Struct):
    """The outcome of a tool call: `status` is ok, error, denied, expired, cancelled or unknown."""

    status: str
    content: list[dict[str, Any]]
    structured: Any
    error: FailureView | None


class MessageView(msgspec.Struct):
    """A message of a conversation: `content` is its text, `parts` all that is in it, with tool calls and results."""

    message_id: str
    run_id: str
    role: str
    content: str
    parts: list[dict[str, Any]]


def error_view(error: ErrorInfo | None) -> ErrorView | None:
    """The form of a failure, or None."""
    return ErrorView(error.code, error.message, error.retryable) if error else None


def usage_view(usage: Usage) -> UsageView:
    """The form of usage."""
    return UsageView(*msgspec.structs.astuple(usage))


def result_view(result: ToolResult) -> ResultView:
    """The form of a tool's result."""
    content = [part_view(each) for each in result.content]
    error = result.error
    failure = FailureView(error.code, error.message, error.retryable, error.details) if error is not None else None
    return ResultView(result.status, content, result.structured, failure)


def message_view(run_id: str, place: int, message: Message) -> MessageView:
    """The form of the message at this place of the run."""
    parts = [part_view(each) for each in message.parts]
    return MessageView(f"{run_id}/{place}", run_id, message.role, message.text, parts)


def part_view(part: Part) -> dict[str, Any]:
    """The form of a part; what only its provider can read stays here."""
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Thinking(text):
            return {"type": "thinking", "text": text}
        case ToolCall(id=identity, name=name, args=args):
            return {"type": "tool_call", "id": identity, "name": name, "args": args}
        case ToolOutcome(call_id=call_id, name=name, result=result):
            return {"type": "tool_result", "call_id": call_id, "name": name, "result": result_view(result)}
        case Image(media_type, data):
            return {"type": "image", "media_type": media_type, "data": data}
        case File(name, media_type, data):
            return {"type": "file", "name": name, "media_type": media_type, "data": data}
