"""An MCP server over HTTP for tests, on a real socket of 127.0.0.1: streamable HTTP or legacy SSE, of either era.

It runs in the test's own event loop, so that it can be told to stop, to come back, to hang and to change what it lists.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import mcp_types as types
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

Era = Literal["both", "legacy"]
_TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
_NONE: dict[str, Any] = {"type": "object", "properties": {}}


Guard = Callable[[dict[str, str]], tuple[int, dict[str, str]] | None]
"""Looks at the headers of a request: the status and the headers of its refusal, or None to let it in."""


class HttpServer:
    """The server; `token` is the bearer token that it wants, `redirect` a URL that it sends everybody to."""

    def __init__(
        self, *, era: Era = "both", sse: bool = False, token: str = "", redirect: str = "", guard: Guard | None = None
    ) -> None:
        self.guard = guard
        self.era = era
        self.token = token
        self.redirect = redirect
        self.tools = {name: types.Tool(name=name, description=f"The tool {name}.", input_schema=schema)
                      for name, schema in (("echo", _TEXT), ("sleep", _NONE), ("ask", _NONE))}  # fmt: skip
        self.calls: list[str] = []
        self.cancelled = 0
        self.headers: list[dict[str, str]] = []
        self.released = asyncio.Event()
        self._sse = sse
        self._bus = InMemorySubscriptionBus()
        self._sessions: set[Any] = set()
        self._place: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it is spoken to."""
        return f"http://127.0.0.1:{self.port}/{'sse' if self._sse else 'mcp'}"

    async def __aenter__(self) -> HttpServer:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()
        if self._place is not None:
            self._place.close()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._server.server_state.connections) if self._server is not None else 0

    async def start(self) -> None:
        """Serves, on the port that it had before if it had one."""
        if self._place is None:  # it only holds the port, so that nobody else takes it while the server is away
            self._place = _bound(0)
            self.port = self._place.getsockname()[1]
        listener = _bound(self.port)
        config = uvicorn.Config(
            self._app(), log_config=None, log_level="critical", lifespan="on", timeout_graceful_shutdown=0
        )
        self._server = uvicorn.Server(config)
        self._server.capture_signals = contextlib.nullcontext  # type: ignore[assignment,method-assign]
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started:  # noqa: ASYNC110 -- uvicorn has nothing to wait for
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Ends, with every connection."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
            self._server = None

    async def change(self, *names: str) -> None:
        """Lists these tools as well, and says so."""
        for name in names:
            self.tools[name] = types.Tool(name=name, description="A new one.", input_schema=_NONE)
        await self._bus.publish(ToolsListChanged())
        for session in list(self._sessions):
            with contextlib.suppress(Exception):
                await session.send_tool_list_changed()

    # -- the protocol ------------------------------------------------------------------------------------------------

    def _mcp(self) -> Server[Any]:
        server: Server[Any] = Server(
            "http-fake", version="1", on_list_tools=self._list, on_call_tool=self._call,
            on_subscriptions_listen=ListenHandler(self._bus),
        )  # fmt: skip
        server.middleware.append(self._era)
        return server

    async def _era(self, ctx: Any, call_next: Any) -> Any:
        if self.era == "legacy" and ctx.method == "server/discover":
            raise MCPError(code=-32601, message="Method not found")
        return await call_next(ctx)

    async def _list(self, ctx: ServerRequestContext[Any], _params: Any) -> types.ListToolsResult:
        self._sessions.add(ctx.session)
        return types.ListToolsResult(tools=list(self.tools.values()))

    async def _call(self, ctx: ServerRequestContext[Any], params: types.CallToolRequestParams) -> Any:
        assert ctx.protocol_version
        self.calls.append(params.name)
        args = params.arguments or {}
        if params.name == "sleep":
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if params.name == "ask" and ctx.protocol_version < "2026":
            reply = await ctx.session.elicit_form("Really?", _NONE, related_request_id=ctx.request_id)
            return types.CallToolResult(content=[types.TextContent(type="text", text=reply.action)])
        if params.name == "ask" and not params.input_responses:
            form = types.ElicitRequestFormParams(message="Really?", requested_schema=_NONE)
            return types.InputRequiredResult(input_requests={"ok": types.ElicitRequest(params=form)}, request_state="s")
        said = args.get("text", params.name)
        if params.name == "ask":
            answer: Any = next(iter((params.input_responses or {}).values()))
            said = str(answer.action)
        return types.CallToolResult(content=[types.TextContent(type="text", text=said)])

    # -- the site ----------------------------------------------------------------------------------------------------

    def _app(self) -> Any:
        server = self._mcp()
        if self._sse:
            inner: Any = _sse_app(server, legacy=self.era == "legacy")
        else:
            inner = server.streamable_http_app(streamable_http_path="/mcp", json_response=False)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                headers = {name.decode(): value.decode() for name, value in scope["headers"]}
                self.headers.append(headers)
                if self.redirect:
                    await Response(status_code=307, headers={"location": self.redirect})(scope, receive, send)
                    return
                if self.token and headers.get("authorization") != f"Bearer {self.token}":
                    await JSONResponse({"error": "no"}, status_code=401)(scope, receive, send)
                    return
                refused = self.guard(headers) if self.guard is not None else None
                if refused is not None:
                    status, told = refused
                    await JSONResponse({"error": "no"}, status_code=status, headers=told)(scope, receive, send)
                    return
            await inner(scope, receive, send)

        return app


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    return made


def _sse_app(server: Server[Any], *, legacy: bool) -> Starlette:
    transport = SseServerTransport("/messages/")

    async def connect(request: Any) -> Response:
        async with transport.connect_sse(request.scope, request.receive, request._send) as (read, write):
            known: Any = _Older(read, write) if legacy else read
            await server.run(known, write, server.create_initialization_options())
        return Response()

    return Starlette(routes=[Route("/sse", connect), Mount("/messages/", app=transport.handle_post_message)])


class _Older:
    """A stream of messages to a server that does not know the first word of 2026-07-28, and says so."""

    def __init__(self, read: Any, write: Any) -> None:
        self._read = read
        self._write = write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._read, name)

    async def __aenter__(self) -> _Older:
        await self._read.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> Any:
        return await self._read.__aexit__(*exc)

    def __aiter__(self) -> _Older:
        return self

    async def __anext__(self) -> Any:
        while True:
            item = await self._read.__anext__()
            message = item.message if isinstance(item, SessionMessage) else None
            if not isinstance(message, types.JSONRPCRequest) or message.method != "server/discover":
                return item
            error = types.ErrorData(code=types.METHOD_NOT_FOUND, message="Method not found")
            await self._write.send(SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=message.id, error=error)))


@contextlib.asynccontextmanager
async def http_server(**options: Any) -> AsyncIterator[HttpServer]:
    """A server that serves until the block is left."""
    async with HttpServer(**options) as server:
        yield server


def sent(server: HttpServer, name: str) -> list[str]:
    """What was sent in this header, request by request."""
    return [headers[name] for headers in server.headers if name in headers]
