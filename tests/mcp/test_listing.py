"""Listings are untrusted: what a model must not read, and what cannot be used, is left out."""

from __future__ import annotations

from typing import Any

from headgate.core.ports import Annotations
from headgate.mcp.listing import DESCRIPTION, TOOLS, read_tools, visible

EMPTY: dict[str, Any] = {"type": "object"}


def test_hints_of_a_tool() -> None:
    """What is unstated has MCP's defaults; a read-only tool destroys nothing."""
    hints = {"readOnlyHint": True, "idempotentHint": "yes"}
    found, _ = read_tools(
        [{"name": "a", "inputSchema": EMPTY}, {"name": "b", "inputSchema": EMPTY, "annotations": hints}]
    )
    assert found["a"].stated == Annotations()
    assert found["b"].stated == Annotations(read_only=True, destructive=False)


def test_long_descriptions_are_cut() -> None:
    """A model is not flooded."""
    assert len(visible("x" * 100_000)) == DESCRIPTION
    assert visible("x" * 100_000).endswith("[...]")


def test_tools_that_cannot_be_used() -> None:
    """Each is named with what is wrong; the others are there."""
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(60):
        deep = {"type": "object", "properties": {"x": deep}}
    raw = [
        {"name": "good", "inputSchema": EMPTY},
        {"name": "a b", "inputSchema": EMPTY},
        {"name": "a\u202eb", "inputSchema": EMPTY},
        {"inputSchema": EMPTY},
        {"name": "none"},
        {"name": "deep", "inputSchema": deep},
        {"name": "large", "inputSchema": {"type": "object", "description": "x" * 70_000}},
        {"name": "twice", "inputSchema": EMPTY},
        {"name": "twice", "inputSchema": EMPTY},
    ]
    found, problems = read_tools(raw)
    assert list(found) == ["good"]
    assert len(problems) == 7
    assert problems[-1] == "tool 'twice' is listed twice, so neither is offered"


def test_a_server_with_too_many_tools() -> None:
    """The first ones are offered."""
    found, problems = read_tools({"name": f"t{n}", "inputSchema": EMPTY} for n in range(TOOLS + 5))
    assert len(found) == TOOLS
    assert problems == (f"only the first {TOOLS} tools are offered",)
