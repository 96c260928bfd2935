"""The tool kinds: one leaf a kind; this registry is all that the rest of the gateway knows of them."""

from __future__ import annotations

from typing import Any

from headgate.core.kind import Kind
from headgate.core.ports import Tool
from headgate.tools import client, command, function, http, mcp

TOOLS: dict[str, Kind[Any, Tool]] = {
    kind.name: kind for kind in (http.KIND, function.KIND, command.KIND, client.KIND, mcp.KIND)
}
"""Every tool kind of this build, by its name."""
