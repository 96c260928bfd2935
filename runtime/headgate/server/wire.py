"""JSON on the wire: compact, UTF-8, no NaN, no lone surrogates."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar.response.base import ASGIResponse

_encode = msgspec.json.Encoder().encode


def dump(value: Any) -> bytes:
    """JSON bytes of JSON values and structs: NaN and infinities become null, lone surrogates `?`."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_printable(msgspec.to_builtins(value)))


def printable(text: str) -> str:
    """The text without lone surrogates, which UTF-8 cannot carry."""
    return text.encode("utf-8", "replace").decode()


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(str(key)): _printable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(each) for each in value]
    return value


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> ASGIResponse:
    """A JSON response."""
    return ASGIResponse(body=dump(value), status_code=status, media_type="application/json", headers=headers)
