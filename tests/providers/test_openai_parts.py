"""What both of OpenAI's wires share when a request is written."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.core.messages import Content, ErrorInfo, File, Image, Text, ToolCall, ToolResult
from headgate.core.ports import ToolDefinition
from headgate.providers.openai_parts import arguments, as_text, call_id, effort, function, is_strict, output

CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def test_ids() -> None:
    """A short id stays, a long one is cut to the limit, and two long ones stay apart."""
    assert call_id("call_1", 40) == "call_1"
    first, second = call_id("x" * 60 + "1", 40), call_id("x" * 60 + "2", 40)
    assert len(first) == len(second) == 40
    assert first != second
    assert call_id("x" * 60 + "1", 40) == first


def test_arguments() -> None:
    """Arguments are JSON text, and an empty object where none could be read."""
    assert arguments(ToolCall("c", "x", {"a": "ü"})) == '{"a":"ü"}'
    assert arguments(ToolCall("c", "x", None, malformed="{")) == "{}"


def test_object_without_properties() -> None:
    """An object schema gets the member that the API asks for; other schemas stay as they are."""
    assert function(ToolDefinition("x", "", {"type": "object"})) == {
        "name": "x",
        "parameters": {"type": "object", "properties": {}},
    }
    assert function(ToolDefinition("x", "Does.", CLOSED)) == {"name": "x", "description": "Does.", "parameters": CLOSED}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        ({**CLOSED, "properties": {"a": CLOSED}}, True),
        ({**CLOSED, "properties": {"a": {"type": "array", "items": CLOSED}}}, True),
        ({**CLOSED, "properties": {"a": {"anyOf": [CLOSED, {"type": "null"}]}}}, True),
        ({"type": "object", "properties": {}, "additionalProperties": False}, True),
        ({"type": "object", "properties": {}}, False),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "additionalProperties": True}, False),
        ({**CLOSED, "properties": {"a": {"type": "string", "default": "x"}}}, False),
        ({**CLOSED, "properties": {"a": {"type": "object"}}}, False),
        ({**CLOSED, "properties": {"a": {"type": "array", "items": {"oneOf": []}}}}, False),
        ({**CLOSED, "$defs": {"x": {"type": "object"}}}, False),
        ({**CLOSED, "properties": {"a": True}}, False),
    ],
)
def test_strict(schema: dict[str, Any], strict: bool) -> None:
    """A schema is strict when every object is closed, every property required and every keyword known."""
    assert is_strict(schema) is strict


@pytest.mark.parametrize(
    ("thinking", "word"),
    [
        (None, None),
        ("adaptive", None),
        ("off", "none"),
        ("low", "low"),
        (4096, "low"),
        (4097, "medium"),
        (16_384, "medium"),
        (50_000, "high"),
    ],
)
def test_effort(thinking: str | int | None, word: str | None) -> None:
    """Every thinking level has its effort; a budget becomes the nearest one."""
    assert effort(thinking) == word


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (Text("a"), "a"),
        (File("n.txt", "text/plain", "Käse".encode()), "n.txt:\nKäse"),
        (File("a.zip", "application/zip", b"z"), "[application/zip content, which this model cannot read]"),
        (Image("image/tiff", b"x"), "[image/tiff content, which this model cannot read]"),
    ],
)
def test_as_text(part: Content, text: str) -> None:
    """Text files are written out with their names, and what cannot be read is named."""
    assert as_text(part) == text


PICTURE, PAPER = Image("image/png", b"i"), File("a.pdf", "application/pdf", b"p")


@pytest.mark.parametrize(
    ("result", "text", "media"),
    [
        (ToolResult(), "", []),
        (ToolResult(content=(Text("a"), Text("b"))), "a\nb", []),
        (ToolResult(content=(Text("a"), PICTURE, PAPER)), "a", [PICTURE, PAPER]),
        (ToolResult(content=(Text("a"), PICTURE), structured={"n": float("nan")}), '{"n":null}', [PICTURE]),
        (
            ToolResult("error", error=ErrorInfo("tool_error", "no")),
            '{"error":{"code":"tool_error","message":"no"}}',
            [],
        ),
    ],
)
def test_output(result: ToolResult, text: str, media: list[Content]) -> None:
    """The error or the data as JSON, else the text; images and documents besides."""
    assert output(result) == (text, media)
