"""Everything that a user can meet is documented."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import reduce

import click

from headgate.cli import cli
from headgate.compile.specs import Gateway
from headgate.core.messages import CODES as TOOL_CODES
from headgate.kinds import DEFAULT_KINDS
from headgate.manifest.diagnostics import CODES
from headgate.server import chat_frames
from headgate.server.app import ROUTES
from headgate.settings import Settings
from tests.docs.pages import ROOT


def page(name: str) -> str:
    """The text of a page below docs/."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_diagnostic_codes() -> None:
    """Every code has its section."""
    assert [code for code in CODES if f"\n## {code}\n" not in page("diagnostics.md")] == []


def test_tool_codes() -> None:
    """Every code of a failed tool call has its line."""
    assert [code for code in TOOL_CODES if f"`{code}`" not in page("reference/tool-errors.md")] == []


def test_routes() -> None:
    """Every HTTP route is named, with its method."""
    text = "".join(page(each) for each in ("chat-api.md", "operations.md", "api.md", "keys.md"))
    handlers = {(method, path) for each in ROUTES for path in each.paths for method in each.http_methods}
    shown = [f"`{method} {re.sub(r':[a-z]+}', '}', path)}`" for method, path in handlers if method != "OPTIONS"]
    assert [each for each in shown if each not in text] == []


def below(command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """The commands of a group by name."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield name, found


def named(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """The commands below this one, with the words that call them."""
    for word, each in below(command):
        yield f"{name} {word}", each
        yield from named(f"{name} {word}", each)


def test_commands() -> None:
    """Every command, and every option of it, is in the guide to operations, validation, keys or the command line."""
    guides = ("operations.md", "validate-in-ci.md", "cli.md", "tests.md", "keys.md")
    text = "".join(page(each) for each in guides if (ROOT / "docs" / each).is_file())
    for name, command in named("headgate", cli):
        assert f"`{name}" in text
        options = [each.opts[0] for each in command.params if isinstance(each, click.Option)]
        assert [each for each in options if f"`{each}" not in text and each != "--help"] == []


def test_frames() -> None:
    """Every type of event that the chat API sends is explained."""
    source = (ROOT / "runtime/headgate/server/chat_frames.py").read_text(encoding="utf-8")
    kinds = {*re.findall(r'frame\(\s*"(\w+)"', source), "text_delta", "thinking_delta", "heartbeat"}
    assert len(kinds) >= len(chat_frames.ENCODERS) - 1
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in page("chat-api.md")] == []


def test_settings() -> None:
    """Every process setting is documented under the name of its variable."""
    names = [f"HEADGATE_{name.upper()}" for name in Settings.model_fields]
    assert [name for name in names if f"`{name}`" not in page("operations.md")] == []


def test_tables() -> None:
    """Every table of gateway.toml is in its reference."""
    assert [name for name in Gateway.model_fields if f"| `{name}` |" not in page("reference/gateway.md")] == []


def test_the_architecture_names_what_exists() -> None:
    """Every `room.module:name` of ARCHITECTURE.md is in the code."""
    named = re.findall(r"`([a-z_]+(?:\.[a-z_]+)+):([\w.]+)`", page("ARCHITECTURE.md"))
    assert len(named) > 20
    for module, path in named:
        reduce(getattr, path.split("."), importlib.import_module(f"headgate.{module}"))


def test_supervised_boundaries() -> None:
    """The list of supervised boundaries has a line for every broad `except`."""
    runtime = ROOT / "runtime" / "headgate"
    wide = {each: each.read_text(encoding="utf-8").count("except Exception") for each in runtime.rglob("*.py")}
    names = {".".join(each.relative_to(runtime).with_suffix("").parts): count for each, count in wide.items() if count}
    assert len(names) > 3
    assert {name: page("ARCHITECTURE.md").count(f"\n| `{name}:") for name in names} == names


def test_log_events() -> None:
    """Every event of the log is explained."""
    sources = "".join(each.read_text(encoding="utf-8") for each in (ROOT / "runtime" / "headgate").rglob("*.py"))
    events = set(re.findall(r'\blog\.(?:info|warning|error|exception)\(\s*"([\w.]+)"', sources))
    assert len(events) > 5
    assert [event for event in sorted(events) if f"`{event}`" not in page("operations.md")] == []


def test_kinds() -> None:
    """Every kind of provider has its line in the guide to providers, every kind of tool a guide of its own."""
    assert [name for name in DEFAULT_KINDS.providers if f"\n| `{name}` |" not in page("providers.md")] == []
    assert [name for name in DEFAULT_KINDS.tools if not (ROOT / "docs" / f"tools-{name}.md").is_file()] == []
