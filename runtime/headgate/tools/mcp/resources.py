"""Tools that read the resources of an MCP server: what there is, and one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from headgate.core.context import ToolContext
from headgate.core.messages import ToolResult
from headgate.core.ports import Annotations, ToolDefinition
from headgate.mcp.listing import visible
from headgate.mcp.naming import LIST, READ, full_name
from headgate.mcp.paging import Raw
from headgate.mcp.upstream import Upstream
from headgate.tools.mcp.results import contents_of
from headgate.tools.mcp.served import answered

SHOWN = 200
"""Entries that one call lists; a query finds the others."""
_TEXT = 1000
_READING = Annotations(read_only=True, destructive=False, idempotent=True, open_world=True)
"""What the protocol says of reading a resource, whoever the server is; what is read is not to be trusted."""
RESOURCE = {"uri": "uri", "name": "name", "title": "title", "description": "description", "mimeType": "mime_type"}
TEMPLATE = {**RESOURCE, "uriTemplate": "uri_template"}


class _ResourceTool:
    """What both share."""

    tool: ClassVar[str]
    about: ClassVar[str]
    arguments: ClassVar[dict[str, Any]]
    required: ClassVar[list[str]]

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self.definition = ToolDefinition(
            full_name(upstream.name, upstream.spec, self.tool),
            self.about.format(server=upstream.name),
            {"type": "object", "properties": self.arguments, "required": self.required, "additionalProperties": False},
            _READING,
            kind="mcp",
            server=upstream.name,
            personal=upstream.spec.personal,
        )
        self.timeout = upstream.spec.timeout or 30.0


class ListResources(_ResourceTool):
    """Lists the resources of a server, and the templates of others."""

    tool = LIST
    about = "Lists what can be read from the MCP server {server}: resources with their URIs, and templates of URIs."
    arguments: ClassVar = {
        "query": {"type": "string", "description": "Only those whose URI, name or description has this text."}
    }
    required: ClassVar = []

    async def call(self, args: dict[str, Any], ctx: ToolContext, /) -> ToolResult:
        """The entries as data, with how many were left out."""
        upstream, query = self._upstream, str(args.get("query", "")).casefold()
        listed = await answered(
            upstream, ctx, self.definition, args,
            lambda asking: upstream.perform(lambda link: link.listed("resources", asking), asking),
        )  # fmt: skip
        made = await answered(
            upstream, ctx, self.definition, args,
            lambda asking: upstream.perform(lambda link: link.listed("resource_templates", asking), asking),
        )  # fmt: skip
        resources = [each for raw in listed if query in str(each := entry(raw, RESOURCE)).casefold()]
        templates = [each for raw in made if query in str(each := entry(raw, TEMPLATE)).casefold()]
        more = max(0, len(resources) - SHOWN) + max(0, len(templates) - SHOWN)
        found = {"resources": resources[:SHOWN], "templates": templates[:SHOWN]}
        return ToolResult(structured={**found, "left_out": more} if more else found)


class ReadResource(_ResourceTool):
    """Reads one resource of a server."""

    tool = READ
    about = "Reads a resource of the MCP server {server} by its URI, which may be made from a template."
    arguments: ClassVar = {"uri": {"type": "string", "minLength": 1, "maxLength": 4096}}
    required: ClassVar = ["uri"]

    async def call(self, args: dict[str, Any], ctx: ToolContext, /) -> ToolResult:
        """What it contains: text, images and files, each with its URI."""
        upstream = self._upstream
        answer = await answered(
            upstream, ctx, self.definition, args,
            lambda asking: upstream.perform(lambda link: link.read(args["uri"], asking), asking),
        )  # fmt: skip
        return contents_of(answer)


def entry(raw: Raw, names: Mapping[str, str]) -> dict[str, Any]:
    """One entry of a listing, without what people do not see; what the server does not say is left out."""
    texts = {ours: visible(raw.get(theirs), _TEXT) for theirs, ours in names.items()}
    size = {"size": raw["size"]} if isinstance(raw.get("size"), int) else {}
    return {name: text for name, text in texts.items() if text} | size
