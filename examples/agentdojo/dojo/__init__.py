"""The replay of AgentDojo's tasks against a running gateway; it needs the package `agentdojo`, and not `headgate`."""
