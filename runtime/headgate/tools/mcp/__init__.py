"""Tools of MCP servers: as their servers list them, and renamed and narrowed by files of kind `mcp`."""

from __future__ import annotations

from headgate.tools.mcp.renamed import KIND
from headgate.tools.mcp.served import served

__all__ = ["KIND", "served"]
