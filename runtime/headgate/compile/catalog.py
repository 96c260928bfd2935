"""Every tool of one set of open objects under its name: those of files, and those that MCP servers list now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from headgate.compile.checks.conditions import check_listed
from headgate.compile.draft import Draft
from headgate.compile.planned import BUILT_IN
from headgate.core.kind import Finding
from headgate.core.ports import Tool
from headgate.manifest.diagnostics import Diagnostic
from headgate.mcp.naming import offers
from headgate.mcp.pins import held, judge, recorded
from headgate.mcp.upstream import Upstream
from headgate.tools.mcp import served

_APPROVE = "compare and approve it with /v1/admin/pins"


@dataclass(frozen=True, slots=True)
class Catalog:
    """`own` are the tools of files that can be offered now, `served` those of each server. `findings` say what cannot
    be offered, and why: an error is a name that two servers give, or that is a built-in tool's. `versions` are those of
    the listings."""

    own: Mapping[str, Tool]
    served: Mapping[str, Mapping[str, Tool]] = field(default_factory=dict)
    findings: tuple[Diagnostic, ...] = ()
    versions: Mapping[str, int] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, Tool]:
        """Every tool by its name."""
        return {**{name: tool for each in self.served.values() for name, tool in each.items()}, **self.own}


def gather(draft: Draft, tools: Mapping[str, Tool], servers: Mapping[str, Upstream]) -> Catalog:
    """The tools that there are now."""
    versions = {name: server.version for name, server in servers.items()}
    own, replaced, findings = _of_files(draft, tools)
    for each, upstream in servers.items():
        findings += _judged(draft, each, upstream)
    offered = {name: {each.definition.name: each for each in served(server)} for name, server in servers.items()}
    owners: dict[str, str] = {}
    for server, listed in offered.items():
        for name in list(listed):
            if name in replaced:
                del listed[name]
                continue
            found = _clash(draft, server, name, owners.setdefault(name, server))
            if found is not None:
                findings.append(found)
                if found.severity == "warning":
                    del listed[name]
    findings += _absent(draft, offered, servers)
    catalog = Catalog(own, offered, (), versions)
    return replace(catalog, findings=(*findings, *check_listed(draft, catalog.all)))


def _of_files(draft: Draft, tools: Mapping[str, Tool]) -> tuple[dict[str, Tool], set[str], list[Diagnostic]]:
    """The tools of files that can be offered, the names of those that they are offered instead of, and what cannot."""
    own: dict[str, Tool] = {}
    replaced: set[str] = set()
    findings: list[Diagnostic] = []
    for name, tool in tools.items():
        # Members of a `StandInTool`, by name: a check for the protocol takes 0.1 ms a tool, on the event loop.
        missing, replaces = getattr(tool, "missing", ""), getattr(tool, "replaces", "")
        if missing:
            hint = "correct it, or look at the server"
            finding = Finding(("tool",), "HG1207", missing, hint, severity="warning")
            findings.append(draft.tools[name].site.locate(finding))
            continue
        own[name] = tool
        if replaces:
            replaced.add(replaces)
    return own, replaced, findings


def _judged(draft: Draft, name: str, server: Upstream) -> Iterator[Diagnostic]:
    """Holds back the tools of the server that are not as they were approved, where its manifest says so."""
    mode = server.spec.pin
    if mode == "off" or not server.listed:
        server.withheld = frozenset()
        return
    approved = draft.gateway.mcp.pins.get(name) if draft.gateway is not None else None
    verdicts = judge(mode, name, server.listing, recorded(approved))
    server.withheld = frozenset(each.tool for each in verdicts if each.held and not each.offered)
    site = draft.servers[name].site
    for each in held(verdicts):
        if not offers(server.spec, each.tool):
            continue
        what = "is not as it was approved" if each.state == "changed" else "was not there when the others were approved"
        message = f"{each.tool!r} of MCP server {name!r} {what}{'' if each.offered else ', and held'}"
        finding = Finding(site.key, "HG1208", message, _APPROVE, severity="warning")
        yield site.locate(finding)


def _clash(draft: Draft, server: str, name: str, owner: str) -> Diagnostic | None:
    """What stands in the way of a server's tool having its name."""
    site = draft.servers[server].site
    mend = f"leave it out with deny in [mcp.servers.{server}], or give the server a prefix"
    if name in BUILT_IN:
        message = f"MCP server {server!r} has a tool with the name of a built-in one: {name!r}"
        return site.locate(Finding(site.key, "HG1203", message, mend))
    if owner != server:
        message = f"MCP servers {owner!r} and {server!r} both have a tool {name!r}"
        return site.locate(Finding(site.key, "HG1203", message, mend))
    item = draft.tools.get(name)
    if item is None:
        return None
    message = f"{item.site.document.path} stands in for the tool {name!r} of MCP server {server!r}"
    return site.locate(Finding(site.key, "HG1203", message, mend, severity="warning"))


def _absent(
    draft: Draft, offered: Mapping[str, Mapping[str, Tool]], servers: Mapping[str, Upstream]
) -> Iterator[Diagnostic]:
    """Tools that agents name by their full name, of servers whose tools are known, and that are not among them."""
    known = {name for listed in offered.values() for name in listed} | set(draft.tools)
    sure = all(server.listed for server in servers.values()) and len(servers) == len(draft.served)
    for agent in draft.agents.values():
        for index, name in enumerate(agent.spec.tools if agent.spec else ()):
            if sure and "*" not in name and name not in known and name not in draft.tool_names:
                message = f"no MCP server has a tool {name!r} now"
                finding = Finding(
                    ("tools", index), "HG1207", message, "correct it, or look at the server", severity="warning"
                )
                yield agent.site.locate(finding)
