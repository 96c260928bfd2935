"""An MCP server for tests that takes the tokens of an authorization server (RFC 9728), with that server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from aiohttp import web
from mcp.server.context import ServerRequestContext
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from headgate.testing.mcp_http import HttpServer
from headgate.testing.oauth_server import AuthorizationServer

_NONE: dict[str, Any] = {"type": "object", "properties": {}}


class ProtectedServer(HttpServer):
    """An MCP server of `authority`: it wants a token for itself, tells by `whoami` whose that is, and for `write` wants
    the scope of that name. `own` are tools that only this person sees; `anonymous` lets everybody list, and `late`
    everybody connect."""

    def __init__(self, authority: AuthorizationServer, **options: Any) -> None:
        super().__init__(guard=self._look, **options)
        self.authority = authority
        self.anonymous = self.late = False
        self.wants = ""
        self.sent: list[str] = []
        self.own: dict[str, list[str]] = {}
        self.tools = {name: types.Tool(name=name, description=f"The tool {name}.", input_schema=_NONE)
                      for name in ("whoami", "write")}  # fmt: skip

    def metadata(self) -> dict[str, Any]:
        """RFC 9728 §2."""
        return {"resource": self.url, "authorization_servers": [self.authority.url], "scopes_supported": ["read"]}

    def _app(self) -> Any:
        inner, route = super()._app(), Route("/.well-known/oauth-protected-resource/mcp", self._told)
        metadata = Starlette(routes=[route])

        async def app(scope: Any, receive: Any, send: Any) -> None:
            well_known = scope["type"] == "http" and scope["path"].startswith("/.well-known/")
            await (metadata if well_known else inner)(scope, receive, send)

        return app

    async def _told(self, _request: Any) -> JSONResponse:
        return JSONResponse(self.metadata())

    def _look(self, headers: dict[str, str]) -> tuple[int, dict[str, str]] | None:
        sent = headers.get("authorization", "")
        self.sent.append(sent)
        held = self.authority.tokens.get(sent.removeprefix("Bearer "))
        if not sent and self.anonymous and headers.get("mcp-method") != "tools/call":
            return None
        if not sent and self.late and headers.get("mcp-method") == "server/discover":
            return None
        place = self.url.removesuffix("/mcp")
        pointer = f'Bearer resource_metadata="{place}/.well-known/oauth-protected-resource/mcp"'
        if held is None or held.audience != self.url:
            return 401, {"www-authenticate": f'{pointer}, error="invalid_token"'}
        if self.wants and self.wants not in held.scope.split() and headers.get("mcp-name") == "write":
            return 403, {"www-authenticate": f'{pointer}, error="insufficient_scope", scope="{self.wants}"'}
        return None

    def _holder(self, ctx: ServerRequestContext[Any]) -> str:
        sent = ctx.request.headers.get("authorization", "") if ctx.request is not None else ""
        held = self.authority.tokens.get(sent.removeprefix("Bearer "))
        return held.person if held is not None else ""

    async def _list(self, ctx: ServerRequestContext[Any], params: Any) -> types.ListToolsResult:
        found = await super()._list(ctx, params)
        own = self.own.get(self._holder(ctx), [])
        return types.ListToolsResult(
            tools=[*found.tools, *(types.Tool(name=name, description="Own.", input_schema=_NONE) for name in own)]
        )

    async def _call(self, ctx: ServerRequestContext[Any], params: types.CallToolRequestParams) -> Any:
        self.calls.append(params.name)
        return types.CallToolResult(content=[types.TextContent(type="text", text=self._holder(ctx) or "nobody")])


@dataclass(slots=True)
class OAuthHouse:
    """Both servers, running."""

    authority: AuthorizationServer
    server: ProtectedServer


@contextlib.asynccontextmanager
async def oauth_house() -> AsyncIterator[OAuthHouse]:
    """An authorization server and an MCP server of it, until the block is left."""
    authority = AuthorizationServer()
    server = ProtectedServer(authority)
    async with server:
        runner = web.AppRunner(authority.app())
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            authority.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield OAuthHouse(authority, server)
        finally:
            await runner.cleanup()
