"""What an MCP server answers, as a tool result: text, images, structured content and resources are kept."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import msgspec

from headgate.core.errors import ToolError
from headgate.core.messages import Content, ErrorInfo, File, Image, Text, ToolResult
from headgate.tools.content import IMAGES

BINARY = 10 << 20
"""Bytes of all images and files of one result; what is over is left out, and said so."""
_SAID = 4000


def result_of(answer: Any) -> ToolResult:
    """The result that an SDK `CallToolResult` stands for; raises `ToolError("invalid_result")`."""
    content = parts_of(answer.content)
    structured = answer.structured_content
    if answer.is_error:
        said = "\n".join(part.text for part in content if isinstance(part, Text))
        details = {"structured": structured} if structured is not None else {}
        error = ErrorInfo("tool_error", said[:_SAID] or "the tool failed and does not say how", details=details)
        return ToolResult(status="error", content=content, error=error)
    if structured is not None:
        content = tuple(part for part in content if not _repeats(part, structured))
    return ToolResult(content=content, structured=structured)


def contents_of(answer: Any) -> ToolResult:
    """The result that an SDK `ReadResourceResult` stands for; raises `ToolError("invalid_result")`."""
    parts = (part for each in answer.contents for part in _embedded(each))
    return ToolResult(content=tuple(_joined(_bounded(parts))) or (Text("[the resource is empty]"),))


def parts_of(blocks: Iterable[Any]) -> tuple[Content, ...]:
    """The parts that SDK content blocks stand for; raises `ToolError("invalid_result")`."""
    return tuple(_joined(_bounded(_parts(blocks))))


def _parts(blocks: Iterable[Any]) -> Iterator[Content]:
    for block in blocks:
        match block.type:
            case "text":
                yield Text(block.text)
            case "image" | "audio":
                yield _binary(block.type, block.mime_type, block.data)
            case "resource_link":
                yield Text(_link(block))
            case "resource":
                yield from _embedded(block.resource)


def _embedded(resource: Any) -> Iterator[Content]:
    """A resource by value, behind its URI: that of a file says more to a model than what it cannot read of it."""
    uri = str(resource.uri)
    if getattr(resource, "text", None) is not None:
        yield Text(f"[resource {uri}]\n{resource.text}")
        return
    media_type = resource.mime_type or "application/octet-stream"
    found = _binary(_name(uri), media_type, resource.blob)
    yield Text(f"[resource {uri}: {media_type}, {len(found.data)} bytes]")
    yield found


def _name(uri: str) -> str:
    try:
        return PurePosixPath(urlsplit(uri).path).name or "resource"
    except ValueError:
        return "resource"


def _link(block: Any) -> str:
    size = f"{block.size} bytes" if block.size is not None else None
    title = block.title if block.title != block.name else None
    more = ", ".join(each for each in (title, block.mime_type, size, block.description) if each)
    return f"[resource link {block.name}: {block.uri}{f' ({more})' if more else ''}]"


def _binary(name: str, media_type: str, data: str) -> Image | File:
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ToolError("invalid_result", f"the server's {name} is not base64") from error
    return Image(media_type, raw) if media_type in IMAGES else File(name, media_type, raw)


def _bounded(parts: Iterable[Content]) -> Iterator[Content]:
    left = BINARY
    for part in parts:
        if isinstance(part, Image | File):
            if len(part.data) > left:
                yield Text(f"[{part.media_type} of {len(part.data)} bytes left out: too large]")
                continue
            left -= len(part.data)
        yield part


def _joined(parts: Iterable[Content]) -> Iterator[Content]:
    """The parts, with texts that follow each other as one, each on lines of its own."""
    texts: list[str] = []
    between = ""
    for part in parts:
        if isinstance(part, Text):
            texts.append(part.text)
            continue
        if texts:
            yield Text(between + "\n".join(texts))
            texts, between = [], "\n"
        yield part
    if texts:
        yield Text(between + "\n".join(texts))


def _repeats(part: Content, structured: Any) -> bool:
    """Whether the text only says the structured content again, as servers do for clients that know only texts."""
    if not isinstance(part, Text):
        return False
    if structured == {"result": part.text}:
        return True
    try:
        return bool(msgspec.json.decode(part.text) == structured)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return False
