"""The tools of the fake MCP server over stdio."""

from __future__ import annotations

from typing import Any

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
NONE: dict[str, Any] = {"type": "object", "properties": {}}


def tool(name: str, about: str, schema: dict[str, Any] = NONE, **hints: bool) -> dict[str, Any]:
    return {"name": name, "description": about, "inputSchema": schema, **({"annotations": hints} if hints else {})}


TOOLS = {
    each["name"]: each
    for each in (
        tool("echo", "Says a text back.", _TEXT, readOnlyHint=True),
        tool("add", "Adds two numbers.", {
            "type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}, "required": ["a", "b"],
        }),
        tool("pid", "The number of the process.", readOnlyHint=True),
        tool("env", "The names of the environment's variables."),
        tool("sleep", "Answers after a while.", {
            "type": "object", "properties": {"seconds": {"type": "number"}}, "required": ["seconds"],
        }),
        tool("cancelled", "How many calls were cancelled."),
        tool("die", "Ends the process without an answer."),
        tool("hang", "Never answers again."),
        tool("fail", "Fails in words.", _TEXT),
        tool("refuse", "Fails with an error of the protocol."),
        tool("parts", "Answers in many parts."),
        tool("table", "Answers structured content."),
        tool("grow", "Adds a tool to the list.", {
            "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
        }),
        tool("shrink", "Takes a tool off the list.", {
            "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
        }),
        tool("ask", "Asks a question before it answers."),
        tool("inquire", "Asks a person, and says what it was told."),
        tool("complain", "Writes to standard error.", _TEXT),
        tool("flood", "Answers with many bytes.", {
            "type": "object", "properties": {"bytes": {"type": "integer"}}, "required": ["bytes"],
        }),
    )
}  # fmt: skip
