"""The tools of a server as it lists them, under their full names."""

from __future__ import annotations

from typing import Any, Protocol

from headgate.core.context import ToolContext
from headgate.core.messages import ToolResult
from headgate.core.ports import Annotations, ToolDefinition
from headgate.mcp.asking import Asking, Progress
from headgate.mcp.listing import ListedTool, Listing
from headgate.mcp.naming import full_name, offers
from headgate.mcp.spec import ServerSpec
from headgate.mcp.upstream import Upstream
from headgate.tools.mcp.results import result_of


class Server(Protocol):
    """What a tool needs of a server: `Upstream`, or what stands in for one."""

    name: str
    spec: ServerSpec
    listing: Listing
    listed: bool
    withheld: frozenset[str]

    async def call(self, tool: str, args: dict[str, Any], asking: Asking, /) -> Any:
        """The SDK's result of one call."""
        ...


def served(upstream: Upstream) -> list[ServedTool]:
    """What the server offers now, without what `allow`, `deny` and pins leave out, by its own order."""
    return [
        ServedTool(upstream, each)
        for name, each in upstream.listing.tools.items()
        if offers(upstream.spec, name) and name not in upstream.withheld
    ]


def annotations_of(upstream: Server, listed: ListedTool) -> Annotations:
    """What is known of the tool: what its server says counts only if that is trusted (D14)."""
    return listed.stated if upstream.spec.trusted else Annotations()


class ServedTool:
    """One tool of a server."""

    def __init__(self, upstream: Upstream, listed: ListedTool) -> None:
        self._upstream = upstream
        self.listed = listed
        self.definition = ToolDefinition(
            full_name(upstream.name, upstream.spec, listed.name),
            listed.description,
            listed.input_schema,
            annotations_of(upstream, listed),
            kind="mcp",
            server=upstream.name,
            personal=upstream.spec.personal,
        )
        self.timeout = upstream.spec.timeout or 30.0

    async def call(self, args: dict[str, Any], ctx: ToolContext, /) -> ToolResult:
        """Runs one call on the server."""
        return await call(self._upstream, self.listed.name, args, ctx, self.definition.annotations)


async def call(upstream: Server, tool: str, args: dict[str, Any], ctx: ToolContext, marks: Annotations) -> ToolResult:
    """One call of the server's tool of this name; raises `ToolError`. Cancelling it cancels it on the server."""
    repeatable = marks.read_only or marks.idempotent
    asking = Asking(ctx.deadline, repeatable=repeatable, progress=_progress(ctx), account=ctx.session.account)
    return result_of(await upstream.call(tool, args, asking))


def _progress(ctx: ToolContext) -> Progress:
    def heard(done: float, total: float | None, message: str | None) -> None:
        share = f"{done:g} of {total:g}" if total is not None else f"{done:g}"
        ctx.output("progress", f"{message} ({share})\n" if message else f"{share}\n")

    return heard
