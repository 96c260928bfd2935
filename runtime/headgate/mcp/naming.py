"""The names of MCP tools: `{prefix}__{tool}`, within the 64 characters that model providers take."""

from __future__ import annotations

import re
from hashlib import sha256

from headgate.core.glob import covers, is_glob
from headgate.mcp.spec import ServerSpec

LIMIT = 64
SEPARATOR = "__"
LIST, READ = "list_resources", "read_resource"
"""What the tools are called that read the resources of a server."""
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")
_HASH = 8


def lead(server: str, spec: ServerSpec) -> str:
    """What all names of the server's tools begin with; empty when they are called as the server calls them."""
    prefix = server if spec.prefix is None else spec.prefix
    return f"{prefix}{SEPARATOR}" if prefix else ""


def full_name(server: str, spec: ServerSpec, tool: str) -> str:
    """The name under which models call the tool. One that providers would not take is mended, and ends in a hash of
    the whole, so that two tools never come to have the same."""
    whole = lead(server, spec) + tool
    fit = _FOREIGN.sub("_", whole)
    if fit == whole and len(whole) <= LIMIT:
        return whole
    return f"{fit[: LIMIT - _HASH - 1]}_{sha256(whole.encode()).hexdigest()[:_HASH]}"


def offers(spec: ServerSpec, tool: str) -> bool:
    """Whether `allow` and `deny` let the tool of this name, the server's own, be offered."""
    allowed = any(covers(pattern, tool) for pattern in spec.allow)
    return allowed and not any(covers(pattern, tool) for pattern in spec.deny)


def reads_resources(spec: ServerSpec, tool: str) -> bool:
    """Whether the name is that of a tool with which the resources of the server can be read, and it is to have it."""
    return spec.resources and tool in (LIST, READ) and not any(covers(pattern, tool) for pattern in spec.deny)


def may_name(server: str, spec: ServerSpec, pattern: str) -> bool:
    """Whether the name or glob could cover a tool of the server, whatever tools that comes to list."""
    start = lead(server, spec)
    if is_glob(pattern):
        head = pattern.partition("*")[0]
        return start.startswith(head) or head.startswith(start)
    if not pattern.startswith(start) or len(pattern) > LIMIT or _FOREIGN.search(pattern):
        return False
    own = pattern[len(start) :]
    return bool(own) and (offers(spec, own) or reads_resources(spec, own) or _mended(pattern))


def _mended(name: str) -> bool:
    """Whether the name may be one that was mended: what the server calls its tool cannot be told from it."""
    return re.search(rf"_[0-9a-f]{{{_HASH}}}$", name) is not None


def is_about(server: str, spec: ServerSpec, pattern: str) -> bool:
    """Whether the name or glob is written for this server's tools alone."""
    start = lead(server, spec)
    return bool(start) and pattern.partition("*")[0].startswith(start)
