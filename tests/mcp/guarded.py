"""A token server and an MCP server that takes its tokens, on loopback, for the tests of credentials."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from headgate.core.kind import Env
from headgate.mcp.kind import open_server
from headgate.mcp.spec import ServerSpec
from headgate.mcp.upstream import Upstream
from headgate.net.client import make_client, open_client
from headgate.net.egress import Egress
from headgate.testing.tool_kit import site

LOOPBACK = Egress(("127.0.0.1",))
_TOOL = {"name": "whoami", "description": "Which token came.", "inputSchema": {"type": "object"}}
_SCOPE = {"ttlMs": 0, "cacheScope": "private"}


@dataclass
class Guarded:
    """Both servers. Tokens are t1, t2, ...; those in `good` are taken. `seen` are the Authorization headers that came
    to the MCP server, `forms` what the token server was asked."""

    secret: str = "s3cret"
    lifetime: Any = 3600
    status: int = 200
    good: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    url: str = ""
    redirect: str = ""
    takes: bool = True

    @property
    def token_url(self) -> str:
        """Where tokens are issued."""
        return f"{self.url}/token"

    @property
    def mcp_url(self) -> str:
        """The MCP server."""
        return f"{self.url}/mcp"

    async def issue(self, request: web.Request) -> web.Response:
        """Issues a token to whoever knows the secret, or brings an assertion."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        if self.status != 200:
            return web.json_response({"error": "temporarily_unavailable"}, status=self.status)
        if "assertion" not in form and form.get("client_secret") != self.secret:
            return web.json_response({"error": "invalid_client", "error_description": "not s3cret"}, status=401)
        token = f"t{len(self.forms)}"
        self.good.add(f"Bearer {token}")
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime})

    async def answer(self, request: web.Request) -> web.Response:
        """One request of an MCP client of 2026-07-28."""
        came = request.headers.get("Authorization", "")
        self.seen.append(came)
        self.headers.append(dict(request.headers))
        if self.redirect:
            return web.Response(status=307, headers={"Location": self.redirect})
        if came not in self.good or not self.takes:
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        message = await request.json()
        result = self._result(message["method"], came)
        if result is None:
            error = {"code": -32601, "message": "Method not found"}
            return web.json_response({"jsonrpc": "2.0", "id": message.get("id"), "error": error}, status=404)
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})

    def _result(self, method: str, came: str) -> dict[str, Any] | None:
        info = {"io.modelcontextprotocol/serverInfo": {"name": "guarded", "version": "1"}}
        own: dict[str, dict[str, Any]] = {
            "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, **_SCOPE},
            "tools/list": {"tools": [_TOOL], **_SCOPE},
            "tools/call": {"content": [{"type": "text", "text": came}], "isError": False},
        }
        return {**own[method], "resultType": "complete", "_meta": info} if method in own else None


@contextlib.asynccontextmanager
async def guarded() -> AsyncIterator[Guarded]:
    """The servers, running."""
    made = Guarded()
    async with site({"/token": made.issue, "/mcp": made.answer}) as url:
        made.url = url
        yield made


@contextlib.asynccontextmanager
async def connected(
    url: str, auth: Mapping[str, Any], *, root: Path = Path(), scrub: Callable[[str], str] = str
) -> AsyncIterator[Upstream]:
    """The MCP server at the URL as the gateway opens it, with this `auth`."""
    spec = ServerSpec.model_validate({"url": url, "auth": dict(auth), "connection_timeout": 5.0, "timeout": 5.0})
    async with open_client(LOOPBACK) as client:
        env = Env(
            name="guarded",
            http=client,
            read=lambda path: (root / path).read_bytes(),
            environ={"PATH": os.environ["PATH"]},
            scrub=scrub,
            client=functools.partial(make_client, LOOPBACK),
            root=root,
        )
        async with open_server(spec, env) as upstream:
            yield upstream
