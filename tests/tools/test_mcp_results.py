"""What an MCP server answers, as a tool result."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any

import pytest

from headgate.core.errors import ToolError
from headgate.core.messages import File, Image, Text
from headgate.tools.mcp.results import BINARY, result_of


def answer(*content: Any, structured: Any = None, failed: bool = False) -> Any:
    return SimpleNamespace(content=content, structured_content=structured, is_error=failed)


def text(said: str) -> Any:
    return SimpleNamespace(type="text", text=said)


def binary(kind: str, media_type: str, data: bytes) -> Any:
    return SimpleNamespace(type=kind, mime_type=media_type, data=base64.b64encode(data).decode())


def test_binary_content() -> None:
    """Images that models read are images, all else is a file."""
    found = result_of(answer(binary("image", "image/png", b"p"), binary("image", "image/tiff", b"t"),
                             binary("audio", "audio/wav", b"w")))  # fmt: skip
    assert found.content == (
        Image("image/png", b"p"), File("image", "image/tiff", b"t"), File("audio", "audio/wav", b"w"),
    )  # fmt: skip


def test_too_much_binary_content() -> None:
    """What is over is left out, and said so."""
    found = result_of(answer(binary("image", "image/png", b"x" * BINARY), binary("image", "image/png", b"yy")))
    assert found.content[1] == Text("[image/png of 2 bytes left out: too large]")


def test_structured_content_is_not_said_twice() -> None:
    """A text that only repeats it is dropped, another one stays."""
    assert result_of(answer(text('{"a": 1}'), structured={"a": 1})).content == ()
    assert result_of(answer(text("plain"), structured={"result": "plain"})).content == ()
    assert result_of(answer(text("more"), structured={"a": 1})).content == (Text("more"),)


def test_failures() -> None:
    """A failed result says what the server says, and keeps the rest."""
    found = result_of(answer(text("no such file"), structured={"path": "x"}, failed=True))
    assert found.error is not None
    assert (found.status, found.error.code, found.error.message) == ("error", "tool_error", "no such file")
    assert found.error.details == {"structured": {"path": "x"}}


def test_broken_base64() -> None:
    """It is no result."""
    with pytest.raises(ToolError, match="not base64"):
        result_of(answer(SimpleNamespace(type="image", mime_type="image/png", data="?")))
