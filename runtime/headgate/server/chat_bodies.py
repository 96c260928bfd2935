"""Request bodies of the compatible chat API, and its way of saying what is wrong with one.

The error bodies are those of the systems that clients were written against: `{"detail": [{type, loc, msg, input}]}`.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from litestar.response.base import ASGIResponse
from pydantic import BaseModel, Field, ValidationError

from headgate.server.wire import answer

B = TypeVar("B", bound=BaseModel)


class Init(BaseModel):
    """Body of `/api/chat/init`."""

    api_key: str = Field(min_length=1)


class Posted(BaseModel):
    """One message that a client posts."""

    role: str
    content: str


class Chat(BaseModel):
    """Body of `/api/chat`."""

    messages: list[Posted]
    context: dict[str, Any] = {}
    model: str | None = None


class Submission(BaseModel):
    """What every answer about a tool call has."""

    tool_call_id: str
    nonce: str


class Approval(Submission):
    """Body of `/api/chat/tool-approval`."""

    approved: bool
    allow_tool_type: bool = False


class Result(Submission):
    """Body of `/api/chat/tool-result`."""

    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class Refused(Exception):
    """A body that is not what the route takes; `response` says so."""

    def __init__(self, detail: Any, status: int) -> None:
        super().__init__(status)
        self.response: ASGIResponse = answer({"detail": detail}, status)


class Rejected(Refused):
    """An answer that cannot be taken; those about tool calls have a member of their own for it."""

    def __init__(self, error: str, status: int) -> None:
        super().__init__(None, status)
        self.response = answer({"error": error}, status)


def read(model: type[B], body: bytes, content_type: str | None) -> B:
    """The typed body; raises `Refused`."""
    if not body:
        raise Refused([{"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}], 422)
    try:
        return model.model_validate(_value(body, content_type), from_attributes=True)
    except ValidationError as error:
        raise Refused([_fault(each) for each in error.errors(include_url=False)], 422) from None


def _fault(each: Any) -> dict[str, Any]:
    fault = {"type": each["type"], "loc": ["body", *each["loc"]], "msg": each["msg"], "input": each["input"]}
    return fault | ({"ctx": each["ctx"]} if "ctx" in each else {})


def _value(body: bytes, content_type: str | None) -> Any:
    if not _is_json(content_type):
        return body.decode("utf-8", "replace")
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        fault = {"type": "json_invalid", "loc": ["body", error.pos], "msg": "JSON decode error", "input": {}}
        raise Refused([{**fault, "ctx": {"error": error.msg}}], 422) from None
    except (ValueError, RecursionError):
        raise Refused("There was an error parsing the body", 400) from None


def _is_json(content_type: str | None) -> bool:
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
