"""What both of OpenAI's wires share when a request is written: schemas, ids, images, files and tool output."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from headgate.core.messages import Content, File, Image, Text, ToolCall, ToolResult
from headgate.core.ports import ToolDefinition

Block = dict[str, Any]

IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
PDF = "application/pdf"

_LITTLE, _MUCH = 4_096, 16_384
_STRICT = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs"}
    | {"description", "title"}
)
encode = msgspec.json.Encoder().encode


def call_id(text: str, limit: int) -> str:
    """A tool call's id within the API's `limit` of characters; a longer one is cut and keeps a hash."""
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: limit - 17]}_{digest}"


def arguments(call: ToolCall) -> str:
    """A call's arguments as JSON text; those that could not be read go back as an empty object."""
    return encode(call.args or {}).decode("utf-8")


def function(tool: ToolDefinition) -> Block:
    """The members that describe a tool on both wires."""
    schema = tool.input_schema
    if schema.get("type") == "object" and "properties" not in schema:
        # The API refuses an object schema without this member.
        schema = {**schema, "properties": {}}
    described = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **described, "parameters": schema}


def is_strict(schema: Any) -> bool:
    """Whether the API can hold the model to this schema: every object closed, every property required.

    Source: https://developers.openai.com/api/docs/guides/structured-outputs#supported-schemas. A keyword outside the
    list there makes the answer no, since the API would refuse the request for it; so do those that only some models
    take (`pattern`, `format`, bounds).
    """
    if not isinstance(schema, Mapping) or not schema.keys() <= _STRICT:
        return False
    properties = schema.get("properties", {})
    if schema.get("type") == "object" or properties:
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", ())) != set(properties):
            return False
    inner = [*properties.values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", ())]
    if "items" in schema:
        inner.append(schema["items"])
    return all(is_strict(each) for each in inner)


def effort(thinking: str | int | None) -> str | None:
    """The reasoning effort that a thinking level stands for; None leaves it to the model.

    These APIs have no budgets, so a number of tokens becomes the effort that comes nearest.
    """
    if isinstance(thinking, int):
        return "low" if thinking <= _LITTLE else "medium" if thinking <= _MUCH else "high"
    return "none" if thinking == "off" else None if thinking == "adaptive" else thinking


def data_url(media_type: str, data: bytes) -> str:
    """Content by value, as a URL (RFC 2397)."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def as_text(part: Content) -> str:
    """A part as text: a text file with its name, and a word in place of what these models cannot read."""
    match part:
        case Text(text):
            return text
        case File(name, media_type, data) if media_type.startswith("text/"):
            return f"{name}:\n{data.decode('utf-8', 'replace')}"
    return f"[{part.media_type} content, which this model cannot read]"


def is_media(part: Content) -> bool:
    """Whether the API takes the part as an image or a document instead of text."""
    match part:
        case Image(media_type, _):
            return media_type in IMAGES
        case File(_, media_type, _):
            return media_type == PDF
    return False


def output(result: ToolResult) -> tuple[str, Sequence[Content]]:
    """A tool's result as text, and the images and documents besides.

    The text is the error or the structured data as JSON, else the text of the content. NaN and infinities become null.
    """
    texts = [as_text(part) for part in result.content if not is_media(part)]
    media = [part for part in result.content if is_media(part)]
    if result.error is not None or result.structured is not None:
        texts = [as_text(part) for part in result.content if not is_media(part) and not isinstance(part, Text)]
        texts.insert(0, encode(result.payload).decode("utf-8"))
    return "\n".join(texts), media
