"""Everything that a user can meet is documented."""

from __future__ import annotations

import re

import click

from docs.pages import ROOT
from headgate.cli import cli
from headgate.compile.specs import Gateway
from headgate.core.messages import CODES as TOOL_CODES
from headgate.manifest.diagnostics import CODES
from headgate.server import chat_frames
from headgate.server.app import ROUTES
from headgate.settings import Settings


def page(name: str) -> str:
    """The text of a page below docs/."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_diagnostic_codes() -> None:
    """Every code has its section."""
    assert [code for code in CODES if f"\n## {code}\n" not in page("diagnostics.md")] == []


def test_tool_codes() -> None:
    """Every code of a failed tool call is in the guide to the chat API."""
    assert [code for code in TOOL_CODES if f"`{code}`" not in page("chat-api.md")] == []


def test_routes() -> None:
    """Every HTTP route is named, with its method."""
    text = page("chat-api.md") + page("operations.md")
    handlers = [(method, re.sub(r":\w+}", "}", path)) for each in ROUTES for path in each.paths for method in each.http_methods]
    assert [each for each in handlers if f"`{each[0]} {each[1]}`" not in text and each[0] != "OPTIONS"] == []


def test_commands() -> None:
    """Every command, and every option of it, is in the guide to operations or to validation."""
    text = page("operations.md") + page("validate-in-ci.md")
    for name, command in cli.commands.items():
        assert f"`headgate {name}" in text
        options = [each.opts[0] for each in command.params if isinstance(each, click.Option)]
        assert [each for each in options if f"`{each}" not in text and each != "--help"] == []


def test_frames() -> None:
    """Every type of event that the chat API sends is explained."""
    source = (ROOT / "runtime/headgate/server/chat_frames.py").read_text(encoding="utf-8")
    kinds = {*re.findall(r'frame\(\s*"(\w+)"', source), "text_delta", "thinking_delta", "heartbeat"}
    assert len(kinds) >= len(chat_frames._ENCODERS) - 1
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in page("chat-api.md")] == []


def test_settings() -> None:
    """Every process setting is documented under the name of its variable."""
    names = [f"HEADGATE_{name.upper()}" for name in Settings.model_fields]
    assert [name for name in names if f"`{name}`" not in page("operations.md")] == []


def test_tables() -> None:
    """Every table of gateway.toml is in its reference."""
    assert [name for name in Gateway.model_fields if f"| `{name}` |" not in page("reference/gateway.md")] == []
