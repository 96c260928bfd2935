"""What the layers say about a key of an agent, or about a limit, each with its place: for `headgate explain`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from headgate.compile.draft import AgentSource, Draft, Item, Site
from headgate.compile.offer import servers_of
from headgate.core.glob import covers
from headgate.core.kind import Key
from headgate.interceptors.common import InterceptorSpec
from headgate.mcp.naming import SEPARATOR, is_about, lead

SCALED = ("max_turns", "timeout", "budget_usd", "budget_tokens")
"""Limits of an agent that profiles lower."""
VIEWS: dict[str, str] = {
    "interceptors": "The interceptors around the agent, outermost first.",
    "limits": "What limits a run of the agent; of several that speak of the same the smallest counts.",
    "budgets": "What a run of the agent, or those who call it, may spend.",
}
"""What can be asked about an agent beside its keys."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one layer says: `layer` in words, `place` as `path:line:column`, and `says` as it is written."""

    layer: str
    place: str
    says: str


def contributions(draft: Draft, key: Key) -> Iterator[Contribution]:
    """What the layers say about the key at this path, from the outermost in."""
    agent = draft.agents.get(str(key[1])) if key[:1] == ("agents",) and len(key) == 3 else None
    if agent is None:
        yield from _stated(draft, key)
    elif key[2] == "tools":
        yield from _tools(draft, agent)
    elif key[2] in SCALED:
        yield from _limit(draft, agent, str(key[2]))


def view(draft: Draft, agent: AgentSource, name: str) -> Iterator[Contribution]:
    """What all layers say about one of `VIEWS`."""
    if name != "interceptors":
        for field in SCALED:
            if name == "limits" or field.startswith("budget"):
                yield from _limit(draft, agent, field)
    if name == "limits":
        for each in ("tool_output", "spill", "runs_per_key"):
            yield from _gateway(draft, ("limits", each))
    for item in draft.interceptors.values() if name != "limits" else ():
        if name == "budgets" and item.site.body["interceptors"][item.name].get("kind") != "budget":
            continue
        if isinstance(item.spec, InterceptorSpec) and any(covers(each, agent.name) for each in item.spec.agents):
            yield _interceptor(item)


def _interceptor(item: Item) -> Contribution:
    spec = item.spec
    said = [f"{item.name}: {spec.kind} of tools {', '.join(spec.tools)}, mode {spec.mode}"]
    said += [f"when {spec.when.source}"] if spec.when is not None else []
    return Contribution(_whose(item.team), item.site.place(item.site.key), ", ".join(said))


def _whose(team: str | None) -> str:
    return "gateway" if team is None else f"team {team}"


def _tools(draft: Draft, agent: AgentSource) -> Iterator[Contribution]:
    yield from _written("agent", agent.site, ("tools",), "offers")
    yield from _written("agent", agent.site, ("mcp_servers",), "has MCP servers")
    yield from _served(draft, agent)
    for table, noun in (("channels", "channel"), ("profiles", "profile")):
        for name in _names(agent.site, table):
            yield from _written(f"{noun} {name}", agent.site, (table, name, "tools_deny"), "denies")
    site = draft.gateway_site
    for name in _names(site, "auth", "keys") if site else ():
        for field in ("agents", "tools"):
            yield from _written(f"key {name}", site, ("auth", "keys", name, field), f"may use {field}")


def _served(draft: Draft, agent: AgentSource) -> Iterator[Contribution]:
    """The MCP servers whose tools the agent is offered, with what narrows them."""
    specs = [each.spec for each in draft.agents.values() if each.spec is not None]
    for name in servers_of(agent.spec, specs, draft.served) if agent.spec is not None else ():
        spec, site = draft.served[name], draft.servers[name].site
        own = [each for each in agent.spec.tools if is_about(name, spec, each)] if agent.spec is not None else []
        said = [f"offers {', '.join(own) or lead(name, spec) + '*'}"]
        said += [f"allow {', '.join(spec.allow)}"] if spec.allow != ("*",) else []
        said += [f"deny {', '.join(spec.deny)}"] if spec.deny else []
        said += [] if any(name in each.mcp_servers for each in specs) else ["for all agents, since none names it"]
        yield Contribution(f"MCP server {name}", site.place(site.key), "; ".join(said))
    mcp, outer = draft.gateway.mcp if draft.gateway is not None else None, draft.gateway_site
    for index, name in enumerate(mcp.from_api if mcp is not None else ()):
        if outer is not None and name in draft.awaited and agent.spec is not None and name in agent.spec.mcp_servers:
            says = f"offers {name}{SEPARATOR}*; it is made through the API, and not known here"
            yield Contribution(f"MCP server {name}", outer.value_place(("mcp", "from_api", index)), says)


def _limit(draft: Draft, agent: AgentSource, field: str) -> Iterator[Contribution]:
    if field == "max_turns":
        yield from _gateway(draft, ("limits", "turns"))
    yield from _written("agent", agent.site, (field,), field)
    for name in _names(agent.site, "profiles"):
        yield from _written(f"profile {name}", agent.site, ("profiles", name, field), field)


def _gateway(draft: Draft, key: Key) -> Iterator[Contribution]:
    """A limit of the gateway, wherever it is stated."""
    stated = list(_stated(draft, key))
    yield from stated or _written("gateway", draft.gateway_site, key, ".".join(map(str, key)))


def _stated(draft: Draft, key: Key) -> Iterator[Contribution]:
    for each in draft.layers.stated.get(key, ()) if draft.layers else ():
        yield Contribution("gateway", each.place, f"{'.'.join(map(str, key))} {each.value}")


def _written(layer: str, site: Site | None, key: Key, verb: str) -> Iterator[Contribution]:
    """What is written at a key, if anything is; a reference is shown as it is written."""
    value: Any = site.body if site is not None else None
    for part in key:
        value = value.get(part) if isinstance(value, dict) else None
    if value is not None and site is not None:
        said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield Contribution(layer, site.place(key), f"{verb} {said}")


def _names(site: Site | None, *key: str) -> list[str]:
    value: Any = site.body if site is not None else None
    for part in key:
        value = value.get(part) if isinstance(value, dict) else None
    return list(value) if isinstance(value, dict) else []
