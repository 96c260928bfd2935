"""What is in the arguments of a call and in its result: every text seen or replaced, or only the shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from headgate.core.messages import Content, ErrorInfo, File, Text, ToolResult

Change = Callable[[str, str], str]
"""What becomes of a text: called with the name of the member that it is the value of, empty if it is none, and it."""
_READABLE = ("text/", "application/json", "application/xml", "application/yaml", "application/toml")
_SHOWN = 100


def mapped(value: Any, change: Change, label: str = "") -> Any:
    """JSON with every text changed, names of members included."""
    match value:
        case str():
            return change(label, value)
        case dict():
            return {change("", str(name)): mapped(each, change, str(name)) for name, each in value.items()}
        case list() | tuple():
            return [mapped(each, change, label) for each in value]
    return value


def mapped_result(result: ToolResult, change: Change) -> ToolResult:
    """A result with every text changed that the model or a client may see: data, text, text files, and the error."""
    error = result.error
    if error is not None:
        details = mapped(error.details, change)
        error = ErrorInfo(change("", error.code), change("", error.message), error.retryable, details)
    return msgspec.structs.replace(
        result,
        structured=mapped(result.structured, change),
        content=tuple(_content(part, change) for part in result.content),
        error=error,
    )


def _content(part: Content, change: Change) -> Content:
    if isinstance(part, Text):
        return Text(change("", part.text))
    if isinstance(part, File) and part.media_type.startswith(_READABLE):
        before = part.data.decode("utf-8", "surrogateescape")
        after = change("", before)
        return part if after == before else File(part.name, part.media_type, after.encode("utf-8", "surrogateescape"))
    return part


def scalars(value: Any) -> Iterator[str]:
    """Every text and number of JSON as text, names of members included."""
    match value:
        case str():
            yield value
        case dict():
            for name, each in value.items():
                yield str(name)
                yield from scalars(each)
        case list() | tuple():
            for each in value:
                yield from scalars(each)
        case int() | float() if not isinstance(value, bool):
            yield str(value)


def shape(value: Any) -> Any:
    """What sort of JSON it is: names of members and types, without a value of it."""
    match value:
        case dict():
            return {str(name): shape(each) for name, each in list(value.items())[:_SHOWN]}
        case list() | tuple():
            return [shape(each) for each in value[:1]]
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
    return "null"


def warned(result: ToolResult, said: str) -> ToolResult:
    """The result with a warning that the model reads."""
    if isinstance(result.structured, dict):
        held = result.structured.get("_warnings")
        known = held if isinstance(held, list) else []
        return msgspec.structs.replace(result, structured={**result.structured, "_warnings": [*known, said]})
    if result.structured is None and result.error is None:
        return msgspec.structs.replace(result, content=(*result.content, Text(f"\n[warning: {said}]")))
    return result
