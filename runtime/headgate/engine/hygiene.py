"""What happens to every tool result before a model or a client sees it: results are untrusted input.

Secrets are scrubbed, control and zero-width characters stripped, non-JSON numbers become null, and what is larger
than the limit is cut, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from headgate.core.messages import ErrorInfo, Text, ToolResult, encode, failed

_KEPT = {ord("\t"), ord("\n"), ord("\r")}
_INVISIBLE = dict.fromkeys(
    [code for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if code not in _KEPT]
    + [*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0x2066, 0x206A), 0xFEFF]
    + [*range(0xE0000, 0xE0080)]
)
"""C0 and C1 controls, zero-width characters, bidirectional overrides and tag characters: invisible to a reader."""
_DEPTH = 64


def clean(result: ToolResult, scrub: Callable[[str], str], limit: int) -> ToolResult:
    """The result as it may be shown; `limit` is in bytes of JSON or text."""
    washed = wash(result, scrub, limit)
    data = payload(washed)
    return washed if len(data) <= limit else cut(washed, data, limit)


def wash(result: ToolResult, scrub: Callable[[str], str], limit: int) -> ToolResult:
    """The result without secrets and without what no reader sees; only its error is cut to `limit`."""

    def washed(text: str) -> str:
        return scrub(text).translate(_INVISIBLE).encode("utf-8", "replace").decode()

    try:
        structured, meta = _walk(result.structured, washed, 0), _walk(result.meta, washed, 0)
        details = _walk(result.error.details, washed, 0) if result.error else {}
    except TypeError as error:
        return failed("invalid_result", f"the tool's result is not JSON: {error}")
    content = tuple(Text(washed(part.text)) if isinstance(part, Text) else part for part in result.content)
    failure = None
    if result.error is not None:
        message = _shortened(washed(result.error.message), limit)
        kept = details if len(encode(details)) <= limit else {}
        failure = ErrorInfo(washed(result.error.code), message, result.error.retryable, kept)
    return msgspec.structs.replace(result, structured=structured, content=content, error=failure, meta=meta)


def payload(result: ToolResult) -> bytes:
    """What counts towards the limit: the JSON of structured data, else the text."""
    if result.structured is not None:
        return encode(result.structured)
    return "".join(part.text for part in result.content if isinstance(part, Text)).encode()


def cut(result: ToolResult, data: bytes, limit: int, handle: str | None = None) -> ToolResult:
    """The result with no more than the beginning of its payload, and a note that says so; `handle` names the rest."""
    rest = tuple(part for part in result.content if not isinstance(part, Text))
    note = f"[cut: {limit} of {len(data)} bytes are shown"
    note += f"; read_result reads on, until this run ends, with handle {handle!r}]" if handle else "]"
    head = Text(f"{data[:limit].decode('utf-8', 'ignore')}\n{note}")
    held = {"bytes": len(data), "shown": limit, **({"handle": handle} if handle else {})}
    return msgspec.structs.replace(result, structured=None, content=(head, *rest), meta={**result.meta, "cut": held})


def _walk(value: Any, wash: Callable[[str], str], depth: int) -> Any:
    if depth > _DEPTH:
        raise TypeError(f"it is nested deeper than {_DEPTH} levels")
    match value:
        case str():
            return wash(value)
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {wash(str(key)): _walk(each, wash, depth + 1) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_walk(each, wash, depth + 1) for each in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _shortened(text: str, limit: int) -> str:
    raw = text.encode()
    if len(raw) <= limit:
        return text
    return f"{raw[:limit].decode('utf-8', 'ignore')}\n[cut: {limit} of {len(raw)} bytes are shown]"
