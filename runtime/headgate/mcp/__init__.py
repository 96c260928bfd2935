"""MCP servers that agents use: what manifests say of them, and the connections to them."""
