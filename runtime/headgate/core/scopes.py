"""What a principal may do, as words: the closed list of this build (`area[:action[:object]]`, with `*`)."""

from __future__ import annotations

SCOPES: dict[str, str] = {
    "chat": "use agents: sessions, runs, and all that belongs to one's own",
    "agents:read": "see agents",
    "agents:invoke:AGENT": "have this agent run",
    "approvals:read": "see one's own questions",
    "approvals:answer": "answer the questions of all keys",
    "authorizations": "grant access to one's own accounts at MCP servers, and take it back",
    "audit:read": "read what the audit log tells of the own team",
    "executions:read": "see one's own runs",
    "executions:cancel": "end one's own runs",
    "policies:read": "see interceptors and what they decided",
    "sessions:read": "see one's own sessions",
    "sessions:manage": "open, fork, close and delete one's own sessions",
    "status:read": "see the state of the gateway",
    "usage:read": "see one's own tokens and cost",
    "admin:audit": "read and check the audit log",
    "admin:diagnostics": "see the findings in the tree",
    "admin:keys": "make, change and revoke API keys",
    "admin:kill_switches": "stop agents, keys, teams, tools or everything",
    "admin:mcp": "make, change, try and remove MCP servers",
    "admin:pins": "see and approve tools of MCP servers that are not as they were",
    "admin:policies": "the same as policies:read",
    "admin:reload": "compile the tree",
    "admin:runs": "see and end the runs, sessions and questions of all keys",
    "admin:status": "the same as status:read",
    "admin:usage": "see the tokens and cost of all keys",
}
"""Each scope and what it lets its holder do; a word in capitals stands for a name, or `*`."""

LATER: dict[str, str] = {"mcp": "the MCP server"}
"""Scopes that nothing asks for in this build, and the feature that would."""


def known(scope: str) -> bool:
    """Whether the scope lets its holder do something: it is one of the list, or covers some of it."""
    return scope == "*" or any(_meets(scope.split(":"), each.split(":")) for each in SCOPES)


def agent_of(scope: str) -> str | None:
    """The agent that the scope names, or None."""
    parts = scope.split(":")
    return parts[2] if parts[:2] == ["agents", "invoke"] and len(parts) == 3 and parts[2] != "*" else None


def _meets(held: list[str], listed: list[str]) -> bool:
    if len(held) > len(listed):
        return False
    return all(part in ("*", own) or own.isupper() for part, own in zip(held, listed, strict=False))
