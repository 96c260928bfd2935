"""The tools of a server as it lists them, under their full names."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import sha256
from typing import Any, Protocol

from msgspec.structs import replace

from headgate.core.context import ToolContext
from headgate.core.inputs import Ask, Question, Reply, Round
from headgate.core.messages import ToolCall, ToolResult
from headgate.core.passage import Deferred
from headgate.core.ports import Annotations, ToolDefinition
from headgate.mcp.asking import Asking, Progress
from headgate.mcp.listing import ListedTool, Listing
from headgate.mcp.naming import full_name
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
        """The SDK's result of one call, or a `Round`."""
        ...


def annotations_of(upstream: Server, listed: ListedTool) -> Annotations:
    """What is known of the tool: what its server says counts only if that is trusted."""
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
        return await call(self._upstream, self.listed.name, args, ctx, self.definition)


async def call(upstream: Server, tool: str, args: dict[str, Any], ctx: ToolContext, own: ToolDefinition) -> ToolResult:
    """One call of the server's tool of this name, for the tool that is defined as `own`; raises as `answered` does.
    Cancelling it cancels it on the server."""
    return result_of(await answered(upstream, ctx, own, args, lambda asking: upstream.call(tool, args, asking)))


async def answered(
    upstream: Server, ctx: ToolContext, own: ToolDefinition, args: dict[str, Any],
    request: Callable[[Asking], Awaitable[Any]],
) -> Any:  # fmt: skip
    """What the server answers to a request for the tool that is defined as `own`; raises `ToolError`, and `Deferred`
    when the server wants to know more before it answers."""
    repeatable, origin = own.annotations.read_only or own.annotations.idempotent, origin_of(upstream)
    held = ctx.ask if upstream.spec.elicitation == "ask" else None
    begun = ctx.passage.take_round()
    asking = Asking(
        ctx.deadline, repeatable=repeatable, progress=_progress(ctx), ask=held, owner=ctx.run,
        round=begun if begun is not None and begun.origin == origin else None, account=ctx.session.account,
    )  # fmt: skip
    if held is not None:
        asking.ask = partial(_unhurried, asking, held)
    answer = await request(asking)
    if isinstance(answer, Round):
        raise Deferred(ToolCall(ctx.call_id, own.name, args), replace(answer, origin=origin))
    return answer


async def _unhurried(asking: Asking, ask: Ask, question: Question) -> Reply:
    """What the person says; the call has that much longer."""
    begun = asyncio.get_running_loop().time()
    try:
        return await ask(question)
    finally:
        asking.deadline += asyncio.get_running_loop().time() - begun


def origin_of(upstream: Server) -> str:
    """A digest of how the server is reached: what a person has told one server is not for another."""
    spec = upstream.spec
    reached = [upstream.name, spec.command, *spec.args, spec.url]
    return sha256(json.dumps(reached).encode()).hexdigest()


def _progress(ctx: ToolContext) -> Progress:
    def heard(done: float, total: float | None, message: str | None) -> None:
        share = f"{done:g} of {total:g}" if total is not None else f"{done:g}"
        ctx.output("progress", f"{message} ({share})\n" if message else f"{share}\n")

    return heard
