"""Tools of MCP servers: as their servers list them, and renamed and narrowed by files of kind `mcp`."""

from __future__ import annotations

from headgate.tools.mcp.offers import served
from headgate.tools.mcp.renamed import KIND

__all__ = ["KIND", "served"]
