"""Servers that another program's settings declare."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from headgate.mcp.imports import place, take


def test_entries_are_translated() -> None:
    """Variables become references, other dollar signs mean themselves, and what has no meaning here is named."""
    entry = {"type": "http", "url": "https://a.example.com/$x", "headers": {"A": "Bearer ${TOKEN:-none}"}, "oauth": {}}
    taken = take(json.dumps({"mcpServers": {"a": entry, "b": {"command": "x", "disabled": True}}}).encode())
    assert taken.servers["a"] == {
        "url": "https://a.example.com/$$x",
        "headers": {"A": "Bearer ${env:TOKEN:-none}"},
        "transport": "streamable_http",
    }
    assert taken.servers["b"] == {"command": "x", "enabled": False}
    assert taken.ignored == ("mcpServers.a.oauth",)


def test_files_that_cannot_be_read() -> None:
    """The fault says why."""
    assert take(b"{").fault.startswith("it is not JSON")
    assert take(b"[]").fault == "it has no member 'mcpServers'"


def test_where_a_file_is() -> None:
    """`~` is the home of the environment that is given, everything else begins at the tree."""
    assert place("~/.claude.json", Path("/tree"), {"HOME": "/home/ann"}) == Path("/home/ann/.claude.json")
    assert place("x.json", Path("/tree"), {}) == Path("/tree/x.json")
    assert place("/etc/x.json", Path("/tree"), {}) == Path("/etc/x.json")


def test_a_tree_without_servers_does_not_pay_for_them() -> None:
    """Importing the gateway does not import the SDK."""
    listed = "[each for each in sys.modules if each.split('.')[0] in ('mcp', 'mcp_types')]"
    code = f"import sys, headgate.boot; print({listed})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
