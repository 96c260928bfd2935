"""Tools of kind `mcp`: one tool of a server, renamed, narrowed, with preset arguments."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from headgate.core.context import ToolContext
from headgate.core.errors import ConfigError, ToolError
from headgate.core.kind import Env, Finding, Kind, Scope
from headgate.core.messages import ToolResult
from headgate.core.ports import Annotations, StandInTool, ToolDefinition
from headgate.expressions.shape import ShapeText
from headgate.mcp.naming import full_name, offers
from headgate.mcp.upstream import Upstream
from headgate.tools.mcp.served import Server, annotations_of, call
from headgate.tools.mcp.spec import McpSpec
from headgate.tools.shapes import check_shape

_MAX = 1 << 20


def check(spec: McpSpec, _scope: Scope) -> Iterator[Finding]:
    """Arguments are hidden or preset or the model's, and the shape fits the answers of the tests."""
    properties = (spec.input or {}).get("properties", {})
    for index, name in enumerate(spec.hide_arguments):
        if name in spec.preset:
            message = f"{name!r} is preset, and so hidden already"
            yield Finding(("hide_arguments", index), "HG1206", message, "remove it here", severity="warning")
        elif name in properties:
            message = f"{name!r} is hidden, but the input has it"
            yield Finding(("hide_arguments", index), "HG1003", message, "remove it from one of them")
    for name in spec.preset:
        if name in properties:
            message = f"{name!r} is preset, but the input has it"
            yield Finding(("preset", name), "HG1003", message, "remove it from one of them")
    answers = [each.response for each in spec.tests if each.response is not None]
    yield from check_shape(("output",), spec.output, answers)


@contextlib.asynccontextmanager
async def open_tool(spec: McpSpec, env: Env) -> AsyncIterator[RenamedTool]:
    """The tool; it holds nothing open but what its server does."""
    upstream = env.server(spec.server)
    if not isinstance(upstream, Upstream):
        raise ConfigError(f"{spec.server!r} is not a server of this kind", key=("server",))
    yield RenamedTool(env.name, spec, upstream)


class RenamedTool:
    """One tool of a server; its definition follows what the server lists."""

    def __init__(self, name: str, spec: McpSpec, upstream: Server) -> None:
        self._name = name
        self._spec = spec
        self._upstream = upstream
        self.timeout = spec.seconds if spec.timeout is not None else (upstream.spec.timeout or spec.seconds)

    @property
    def missing(self) -> str:
        """Why it cannot be offered now; empty when it can."""
        spec, upstream = self._spec, self._upstream
        if not upstream.listed:
            return f"the tools of server {spec.server!r} are not known yet"
        listed = upstream.listing.tools.get(spec.tool)
        if listed is None:
            return f"server {spec.server!r} has no tool {spec.tool!r}"
        if not offers(upstream.spec, spec.tool):
            return f"server {spec.server!r} does not allow {spec.tool!r}"
        if spec.tool in upstream.withheld:
            return f"{spec.tool!r} of server {spec.server!r} is held: it is not as it was approved"
        known = listed.input_schema.get("properties", {})
        wrong = [each for each in (*spec.preset, *spec.hide_arguments) if known and each not in known]
        if wrong and listed.input_schema.get("additionalProperties") is False:
            return f"{spec.tool!r} of server {spec.server!r} has no argument {wrong[0]!r}"
        unset = [each for each in listed.input_schema.get("required", ()) if each in spec.hide_arguments]
        return f"{unset[0]!r} is hidden, but {spec.tool!r} needs it; preset it" if unset else ""

    @property
    def replaces(self) -> str | None:
        """The full name of the server's own tool, when this one is offered instead."""
        return full_name(self._upstream.name, self._upstream.spec, self._spec.tool) if self._spec.replace else None

    @property
    def definition(self) -> ToolDefinition:
        """The definition that the manifest makes of the server's."""
        spec = self._spec
        listed = self._upstream.listing.tools.get(spec.tool)
        defaults = annotations_of(self._upstream, listed) if listed else Annotations()
        schema = spec.input or narrowed(listed.input_schema if listed else {"type": "object"}, spec)
        description = spec.description or (listed.description if listed else spec.tool)
        marks = spec.annotations.over(defaults)
        return ToolDefinition(
            self._name,
            description,
            schema,
            marks,
            kind="mcp",
            server=self._upstream.name,
            personal=self._upstream.spec.personal,
        )

    async def call(self, args: dict[str, Any], ctx: ToolContext, /) -> ToolResult:
        """Runs one call on the server."""
        if reason := self.missing:
            raise ToolError("tool_error", f"{self._name} cannot be called now: {reason}", retryable=True)
        sent = {**args, **self._spec.preset}
        result = await call(self._upstream, self._spec.tool, sent, ctx, self.definition)
        return shaped(result, self._spec.output)


def narrowed(schema: Mapping[str, Any], spec: McpSpec) -> dict[str, Any]:
    """The server's schema without the arguments that the model does not see."""
    gone = {*spec.preset, *spec.hide_arguments}
    if not gone:
        return dict(schema)
    out = dict(schema)
    if "properties" not in schema:  # the server takes anything: all but these, then
        return {**out, "properties": dict.fromkeys(sorted(gone), False)}
    out["properties"] = {name: each for name, each in schema["properties"].items() if name not in gone}
    if "required" in schema:
        out["required"] = [name for name in schema["required"] if name not in gone]
    out["additionalProperties"] = False
    return out


def shaped(result: ToolResult, shape: ShapeText | None) -> ToolResult:
    """The result with its payload as the JMESPath expression of the manifest makes it; a failed one stays."""
    if shape is None or result.error is not None:
        return result
    return ToolResult(content=(), structured=shape.apply(result.payload, _MAX), meta=result.meta)


KIND: Kind[McpSpec, StandInTool] = Kind(
    "mcp",
    "One tool of an MCP server, renamed, narrowed, with preset arguments.",
    McpSpec,
    open_tool,
    check,
    server=lambda spec: spec.server,
)
"""The registration of the kind."""
