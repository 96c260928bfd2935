"""What manifests will have and this build has not: known by name, so that it is refused with the missing feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headgate.core.kind import Key


@dataclass(frozen=True, slots=True)
class Planned:
    """Keys and values that are known and refused; `*` in a path stands for any one key. `values` are by their key."""

    keys: Mapping[tuple[str, ...], str]
    values: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def key(self, path: Key) -> str | None:
        """The feature that the key at `path` needs and this build lacks."""
        for known, feature in self.keys.items():
            if len(known) == len(path) and all(a in ("*", b) for a, b in zip(known, path, strict=True)):
                return feature
        return None

    def value(self, path: Key, value: Any) -> str | None:
        """The feature that the value at `path`, such as a kind, needs and this build lacks."""
        return self.values.get((str(path[-1]), str(value))) if path else None


_GATEWAY: Mapping[tuple[str, ...], str] = {
    ("bus",): "the Redis event bus",
    ("mcp", "serve"): "the MCP server side",
    ("approvals", "*", "notify"): "deliveries",
    ("heartbeats",): "heartbeats",
    ("deliveries",): "deliveries",
    ("code",): "code execution",
    ("source",): "GitOps sources",
    ("events",): "event webhooks",
    ("server", "compat"): "the API of MCP Agent Gateway",
    ("reload", "probation"): "reload probation",
    ("limits", "depth"): "sub-agents",
    ("limits", "fan_out"): "sub-agents",
}
_AGENT: Mapping[tuple[str, ...], str] = {
    ("skills",): "skills",
    ("fields",): "field definitions",
    ("agents",): "sub-agents",
    ("exclude_tools",): "sub-agents",
    ("memory",): "memory",
    ("compaction",): "context compaction",
    ("output",): "structured output",
}
_TOOL: Mapping[tuple[str, ...], str] = {
    ("fields",): "field definitions",
    ("sandbox",): "sandboxes",
}
GATEWAY = Planned(_GATEWAY)
AGENT = Planned(_AGENT)
TOOL = Planned(_TOOL, {("kind", kind): f"{kind} tools" for kind in ("openapi", "sql", "pipeline", "agent")})
ROLES: Mapping[str, str] = {
    "skill": "skills",
    "field": "field definitions",
    "catalog": "the MCP catalog",
}
BUILT_IN = frozenset(
    {
        "run_agent", "get_background_result", "code_execute", "code_execute_status", "code_mode",
        "mcp_find", "mcp_add", "mcp_remove",
        "lookup_field", "get_field_definitions", "list_field_integrations", "check_field_drift", "discover_fields",
        "load_skill", "find_tools", "memory_save", "memory_recall", "memory_forget", "health_check",
        "read_result",
    }
)  # fmt: skip
"""Names that no file may take."""
