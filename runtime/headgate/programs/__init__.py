"""Programs that the gateway runs, for tools, MCP servers and sandboxes: nothing of one outlives its use."""
