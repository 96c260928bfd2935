"""The way out: the egress guard, the shared HTTP client and OAuth2 tokens."""
