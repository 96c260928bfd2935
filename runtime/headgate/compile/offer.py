"""Which tools each agent is offered: its own, and those of its MCP servers, as far as both are known.

A server that no agent names is for all; one that agents name is for those. What the servers list is known only when
they are open; before that, a name that one of them could come to have is taken to be right.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from headgate.compile.draft import Draft
from headgate.compile.naming import unknown
from headgate.compile.specs import Agent
from headgate.core.glob import is_glob, matching
from headgate.core.kind import Finding, Key
from headgate.mcp.naming import is_about, lead, may_name
from headgate.mcp.spec import ServerSpec


def servers_of(agent: Agent, agents: Iterable[Agent], servers: Mapping[str, ServerSpec]) -> list[str]:
    """The servers whose tools the agent may be offered, in the order of their declaration."""
    if not servers:  # of a tree without any every agent would ask all the others
        return []
    named = {name for each in agents for name in each.mcp_servers}
    return [name for name in servers if name in agent.mcp_servers or name not in named]


def offered(
    patterns: Iterable[str], own: Iterable[str], served: Mapping[str, tuple[ServerSpec, Collection[str]]]
) -> list[str]:
    """The names that an agent with these `tools:` is offered: of its `own` tools, and of those that each of its
    servers has. A server of which it names tools offers those alone."""
    wanted = tuple(patterns)
    out = matching(wanted, own)
    for name, (spec, tools) in served.items():
        narrowed = _narrowed(name, spec, wanted, tools)
        out += [each for each in (matching(wanted, tools) if narrowed else tools) if each not in out]
    return out


def _narrowed(name: str, spec: ServerSpec, patterns: tuple[str, ...], tools: Collection[str]) -> bool:
    if any(is_about(name, spec, pattern) for pattern in patterns):
        return True
    return spec.prefix == "" and any(not is_glob(pattern) and pattern in tools for pattern in patterns)


def may_serve(draft: Draft, patterns: Iterable[str], agents: Iterable[str]) -> bool:
    """Whether one of the agents has a server with tools that the patterns could cover."""
    specs = [each.spec for each in draft.agents.values() if each.spec is not None]
    wanted = [spec for name in agents if (spec := draft.agents[name].spec) is not None]
    mine = {name for spec in wanted for name in servers_of(spec, specs, draft.served)}
    return any(may_name(name, draft.served[name], pattern) for name in mine for pattern in patterns)


def check_tools(
    draft: Draft, patterns: Iterable[str], key: Key, *, among: Collection[str] | None = None
) -> Iterator[Finding]:
    """A literal name that no tool has or could come to have is an error, a glob that covers none a warning.

    `among` are the servers whose tools may be meant; all of them if it is None.
    """
    served = {name: spec for name, spec in draft.served.items() if among is None or name in among}
    # One that could not be read has been reported: its tools are not blamed a second time.
    served |= {name: ServerSpec() for name, item in draft.servers.items() if item.spec is None}
    served |= {name: ServerSpec() for name in draft.awaited}
    names = draft.tool_names
    for index, pattern in enumerate(patterns):
        if pattern in names or (is_glob(pattern) and matching([pattern], names)):
            continue
        if any(may_name(name, spec, pattern) for name, spec in served.items()):
            continue
        if is_glob(pattern):
            yield Finding((*key, index), "HG1202", f"{pattern!r} matches no tool", severity="warning")
        else:
            yield _unknown(draft, pattern, (*key, index), among)


def _unknown(draft: Draft, name: str, key: Key, among: Collection[str] | None) -> Finding:
    """What is wrong with a name that looks like that of a server's tool, or with any other."""
    start, separator, tool = name.partition("__")
    owner = next((each for each, spec in draft.served.items() if is_about(each, spec, name)), None)
    if owner is not None and among is not None and owner not in among:
        message = f"MCP server {owner!r} is for the agents that name it, and this one does not"
        return Finding(key, "HG1201", message, f"add {owner!r} to mcp_servers")
    if owner is not None:
        message = f"MCP server {owner!r} does not offer {tool!r}: its allow and deny leave it out"
        return Finding(key, "HG1201", message, f"correct the name, or allow it in [mcp.servers.{owner}]")
    if separator and start in draft.served:
        own = lead(start, draft.served[start])
        said = f"begin with {own!r}" if own else "are called as the server calls them"
        return Finding(key, "HG1201", f"the tools of MCP server {start!r} {said}", f"write {own + tool!r}")
    if separator and start in draft.servers:
        return Finding(key, "HG1201", f"MCP server {start!r} is not in use", "enable it, or remove the name")
    return unknown("tool", name, draft.tool_names, key)
