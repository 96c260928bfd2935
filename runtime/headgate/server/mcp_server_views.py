"""MCP servers on the wire, in the form that clients of agents-gateway read: of what is secret, names alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field

from headgate.core.scalars import NAME
from headgate.engine.probe import Tried
from headgate.engine.servers import CREATED, Declared
from headgate.mcp.naming import full_name, offers
from headgate.server.bodies import Patch

Name = Annotated[str, Field(pattern=NAME, max_length=64)]
_Text = Annotated[str, Field(min_length=1, max_length=4_000)]
TrialCode = Literal["connection_error", "timeout", "auth_error", "config_error"]
_CODES: Mapping[str, TrialCode] = {"timeout": "timeout", "auth_error": "auth_error", "config_error": "config_error"}
_Texts = Annotated[dict[str, str], Field(max_length=200)]


class ServerPatch(Patch):
    """Body of `PUT /v1/admin/mcp-servers/{server_id}`: what is not given stays, null takes a text or a blob away.
    `credentials`, `env` and `headers` are replaced as a whole, `{}` clears them."""

    name: Name | None = None
    transport: Literal["stdio", "streamable_http", "sse"] | None = None
    command: _Text | None = None
    args: Annotated[list[str], Field(max_length=200)] | None = None
    env: _Texts | None = None
    url: _Text | None = None
    headers: _Texts | None = None
    credentials: Annotated[dict[str, Any], Field(max_length=200)] | None = None
    enabled: bool | None = None

    never_null = frozenset({"name", "transport", "enabled"})


class NewServer(ServerPatch):
    """Body of `POST /v1/admin/mcp-servers`."""

    name: Name
    transport: Literal["stdio", "streamable_http", "sse"]


class ServerView(msgspec.Struct, kw_only=True):
    """One server. Times are ISO 8601, null for one of the tree."""

    id: str
    name: str
    transport: str
    command: str | None
    args: list[str] | None
    url: str | None
    header_keys: list[str]
    enabled: bool
    credential_keys: list[str]
    has_env: bool
    auth_type: str
    tool_count: int
    connected: bool
    created_at: str | None
    updated_at: str | None


class GoneServer(msgspec.Struct):
    """A server that is no more."""

    deleted: bool = True


class TriedTool(msgspec.Struct):
    """A tool, by the server's own name."""

    name: str
    description: str


class TriedServer(msgspec.Struct, kw_only=True):
    """What came of a trial connection: its tools, or why there is none."""

    success: bool
    tool_count: int
    tools: list[TriedTool]
    error: str | None
    error_code: TrialCode | None


class ServerTool(msgspec.Struct):
    """A tool that a server offers: the name for models, and the server's own."""

    name: str
    original_name: str
    server_name: str
    description: str
    input_schema: dict[str, Any]


def server_view(server: Declared) -> ServerView:
    """One server as it is now."""
    spec, document = server.spec, server.document
    created = document.body.get(CREATED, document.created_at) if document is not None else None
    updated = document.at if document is not None else None
    return ServerView(
        id=server.id, name=server.name, transport=spec.kind, command=spec.command,
        args=list(spec.args) if spec.kind == "stdio" else None, url=spec.url, header_keys=server.header_keys,
        enabled=spec.enabled, credential_keys=server.credential_keys, has_env=bool(spec.env),
        auth_type=server.auth_type, tool_count=len(server.tools), connected=server.connected,
        created_at=_time(created), updated_at=_time(updated),
    )  # fmt: skip


def tried_view(server: Declared, tried: Tried) -> TriedServer:
    """What a trial said."""
    listed = tried.listing.tools.values()
    tools = [TriedTool(each.name, each.description) for each in listed if offers(server.spec, each.name)]
    error = tried.error
    return TriedServer(
        success=error is None, tool_count=len(tools), tools=tools, error=error.message if error else None,
        error_code=_CODES.get(error.code, "connection_error") if error else None,
    )  # fmt: skip


def tool_views(server: Declared) -> list[ServerTool]:
    """What the server offers now; nothing while it is not connected."""
    spec, name = server.spec, server.name
    return [
        ServerTool(full_name(name, spec, each.name), each.name, name, each.description, each.input_schema)
        for each in server.tools
    ]


def _time(at: float | None) -> str | None:
    return datetime.fromtimestamp(at, UTC).isoformat() if at is not None else None
