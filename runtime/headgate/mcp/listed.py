"""The tools of a server that is used with accounts of people, as they are kept while nobody is connected."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.mcp.listing import ListedTool, Listing, read_tools


class Registered(msgspec.Struct, frozen=True):
    """As whom the gateway registered itself at the authorization server, as JSON."""

    binding: str
    client: str

    def __repr__(self) -> str:
        return "Registered(...)"


class KeptListing(msgspec.Struct, frozen=True):
    """A listing, and the account that saw it; nobody's where the server lists without a credential."""

    binding: str
    lister: str
    tools: list[dict[str, Any]]
    prompts: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    readable: bool = False

    @property
    def listing(self) -> Listing:
        """The listing, read as one that a server has just sent."""
        tools, problems = read_tools(self.tools)
        return Listing(tools, self.prompts, self.resources, (*self.problems, *problems), readable=self.readable)


def kept(listing: Listing, binding: str, lister: str) -> KeptListing:
    """The listing as it is kept."""
    tools = [_wire(each) for each in listing.tools.values()]
    return KeptListing(binding, lister, tools, listing.prompts, listing.resources, listing.problems, listing.readable)


def _wire(tool: ListedTool) -> dict[str, Any]:
    """A tool in the words of the protocol."""
    marks = tool.stated
    wire: dict[str, Any] = {
        "name": tool.name, "title": tool.title, "description": tool.description, "inputSchema": tool.input_schema,
        "annotations": {
            "readOnlyHint": marks.read_only, "destructiveHint": marks.destructive,
            "idempotentHint": marks.idempotent, "openWorldHint": marks.open_world,
        },
    }  # fmt: skip
    return wire if tool.output_schema is None else {**wire, "outputSchema": tool.output_schema}
