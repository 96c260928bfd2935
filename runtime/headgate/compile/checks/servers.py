"""Rules of MCP servers: who names them, what the policy lets them be, and that their tools can be told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from headgate.compile.checks.gateway import is_loopback
from headgate.compile.draft import AgentSource, Draft, Item
from headgate.compile.naming import unknown
from headgate.core.kind import Finding, Key
from headgate.manifest.diagnostics import Diagnostic
from headgate.mcp.auth_user import OAuth2User
from headgate.mcp.naming import lead, offers
from headgate.mcp.policy import refusals
from headgate.tools.mcp.spec import McpSpec

Located = Iterator[Diagnostic]


def check_policy(draft: Draft) -> Located:
    """`[mcp.policy]` lets every server be configured, wherever it is declared."""
    if draft.gateway is None or not draft.knows("mcp", "policy"):
        return
    for name, spec in draft.served.items():
        for finding in refusals(draft.gateway.mcp.policy, spec):
            yield from _blame(draft.servers[name], finding)


def check_prefixes(draft: Draft) -> Located:
    """No two servers give their tools the same beginning."""
    first: dict[str, str] = {}
    for name, spec in draft.served.items():
        start = lead(name, spec)
        if start and (other := first.setdefault(start, name)) != name:
            message = f"MCP servers {other!r} and {name!r} call their tools alike: {start}..."
            yield from _blame(draft.servers[name], Finding(("prefix",), "HG1203", message, "give one another prefix"))


def check_callbacks(draft: Draft) -> Located:
    """People come back from authorization servers to where the gateway is reached."""
    if draft.gateway is not None and draft.knows("server"):
        yield from check_callback(draft, draft.gateway.server.host)


def check_callback(draft: Draft, host: str) -> Located:
    """The same, for a gateway that binds this address, whatever the tree says."""
    if draft.gateway is None:
        return
    public = draft.gateway.server.public_url
    for name, spec in draft.served.items():
        if not isinstance(spec.auth, OAuth2User):
            continue
        if public is None and not is_loopback(host):
            message = f"people come back from a browser to [server] public_url, which is not set; {host} is bound"
            yield from _blame(draft.servers[name], Finding(("auth",), "HG1005", message, _PUBLIC))
        elif public is not None and public.startswith("http:") and not is_loopback(urlsplit(public).hostname or ""):
            message = f"people would come back from a browser to {public} unencrypted"
            yield from _blame(
                draft.servers[name], Finding(("auth",), "HG1404", message, "let public_url begin with https")
            )


_HTTPS = "let public_url begin with https"
_PUBLIC = "write [server] public_url, the URL under which browsers reach the gateway"


def check_agent_servers(draft: Draft) -> Located:
    """Servers that agents name exist and are in use."""
    for agent in draft.agents.values():
        yield from _named(draft, agent)


def _named(draft: Draft, agent: AgentSource) -> Located:
    for index, name in enumerate(agent.spec.mcp_servers if agent.spec else ()):
        key = ("mcp_servers", index)
        if name not in draft.servers and name not in draft.awaited and draft.knows("mcp"):
            yield from agent.site.diagnose(_unknown(draft, name, key))
        item = draft.servers.get(name)
        if item is not None and item.spec is not None and not item.spec.enabled:
            message = f"MCP server {name!r} is not enabled, so it offers nothing"
            yield from agent.site.diagnose(
                Finding(key, "HG1206", message, "enable it, or remove it", severity="warning")
            )


def _unknown(draft: Draft, name: str, key: Key) -> Finding:
    found = unknown("MCP server", name, draft.servers, key)
    return replace(found, hint=f"{found.hint}; one that is made through the API is named in from_api of [mcp]")


def check_renamed(draft: Draft) -> Located:
    """The server of a tool of kind `mcp` exists, is in use, and offers the tool."""
    for item in draft.tools.values():
        spec = item.spec
        if not isinstance(spec, McpSpec) or not draft.knows("mcp"):
            continue
        server = draft.servers.get(spec.server)
        if server is None:
            yield from item.site.diagnose(unknown("MCP server", spec.server, draft.servers, ("server",)))
        elif server.spec is not None and not server.spec.enabled:
            message = f"MCP server {spec.server!r} is not enabled"
            yield from item.site.diagnose(Finding(("server",), "HG1201", message, "enable it, or remove the tool"))
        elif server.spec is not None and not offers(server.spec, spec.tool):
            message = f"MCP server {spec.server!r} does not offer {spec.tool!r}: its allow and deny leave it out"
            yield from item.site.diagnose(Finding(("tool",), "HG1201", message, "correct the name, or allow it"))


def _blame(item: Item, finding: Finding) -> Located:
    """The finding at the server, or at one of its keys where that is written."""
    key = item.site.below(finding.key)
    yield from item.site.diagnose(Finding(key, finding.code, finding.message, finding.hint, severity=finding.severity))
