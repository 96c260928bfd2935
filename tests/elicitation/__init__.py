"""What MCP servers ask people, from the server to the answer."""
