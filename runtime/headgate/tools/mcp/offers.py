"""All tools that a server is good for: those that it lists, and those that read its resources."""

from __future__ import annotations

from headgate.core.ports import Tool
from headgate.mcp.naming import offers, reads_resources
from headgate.mcp.upstream import Upstream
from headgate.tools.mcp.resources import ListResources, ReadResource
from headgate.tools.mcp.served import ServedTool


def served(upstream: Upstream) -> list[Tool]:
    """What the server offers now, without what `allow`, `deny` and pins leave out, by its own order. Its resources can
    be read if its manifest says so; a tool of its own that is called like one of ours is offered instead."""
    listed = upstream.listing.tools
    found: list[Tool] = [
        ServedTool(upstream, each)
        for name, each in listed.items()
        if offers(upstream.spec, name) and name not in upstream.withheld
    ]
    if upstream.listing.readable:
        made = (ListResources(upstream), ReadResource(upstream))
        found += [each for each in made if each.tool not in listed and reads_resources(upstream.spec, each.tool)]
    return found
