"""Runs the inline `tests:` of agents and tools: scripted, mocked, and without a way out of the process."""
