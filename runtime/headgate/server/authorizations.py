"""What a person has let the gateway do with their own account of an MCP server: asked for, looked at, taken back."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from headgate.core.context import Principal
from headgate.core.errors import Conflict, EgressRefused, NotFound, ToolError
from headgate.engine.custody import Custody
from headgate.engine.overlays import custody_of
from headgate.mcp.authorizing import Authorizing
from headgate.mcp.consent import Asker, Flow
from headgate.mcp.grants import Grant
from headgate.mcp.personal import Personal
from headgate.server.edge import Edge
from headgate.server.errors import refusal
from headgate.server.native import native
from headgate.server.wire import answer

SCOPES = ("chat", "authorizations")
CALLBACK = "/oauth/callback"
_ALL = "admin:mcp"
_PATH = "/v1/mcp/{server_name:str}"
ByKey = Request[Principal, Any, State]


class AskedView(msgspec.Struct):
    """Where the person behind the key has to go with a browser, until when (epoch seconds)."""

    server: str
    key: str
    url: str
    expires_at: float


class AuthorizationView(msgspec.Struct, kw_only=True):
    """What the key has granted at a server. `wanted` are scopes that the server asked for since; `refreshable` says
    that the access outlives `expires_at`. Times are epoch seconds."""

    server: str
    key: str
    state: Literal["granted", "missing"]
    id: str | None = None
    granted_at: float | None = None
    expires_at: float | None = None
    refreshable: bool = False
    scopes: list[str] = []
    wanted: list[str] = []
    authorization_server: str | None = None


class RevokedView(msgspec.Struct):
    """Whether there was something, and whether the authorization server says that it has revoked it, too."""

    server: str
    revoked: bool
    at_server: bool


@post(
    f"{_PATH}/authorize",
    **native(
        "mcp servers", "Ask for access to one's own account", scopes=SCOPES, answers={201: AskedView},
        errors=(404, 409, 502),
    ),
)  # fmt: skip
async def authorize(server_name: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Finds out where access is granted, and answers a link for the browser of the person behind the key. It is good
    once, for ten minutes."""
    server = server_of(edge, request.user, server_name)
    try:
        flow, token = await Authorizing(server).ask(asker_of(request.user), f"{edge.base}{CALLBACK}")
    except (ToolError, EgressRefused) as error:
        detail = f"MCP server {server_name!r}: {edge.snapshot.scrub(error.message)}"
        return refusal(request.scope["path"], 502, error.code, detail)
    return answer(AskedView(server.name, request.user.key, start_url(edge, token), flow.expires_at), 201)


@get(
    f"{_PATH}/authorization",
    **native("mcp servers", "What one has granted", scopes=SCOPES, answers={200: AuthorizationView}, errors=(404, 409)),
)
async def get_authorization(server_name: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """What the caller's own key has granted, without any token."""
    server = server_of(edge, request.user, server_name)
    return answer(view(server.name, request.user, await Authorizing(server).granted(request.user.account)))


@delete(
    f"{_PATH}/authorization",
    **native(
        "mcp servers", "Take back what one has granted", scopes=SCOPES, answers={200: RevokedView}, errors=(404, 409)
    ),
)
async def revoke_authorization(server_name: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """The tokens of the caller's own key are forgotten, and its connection is closed, when this answers."""
    server = server_of(edge, request.user, server_name)
    grant, revoked = await Authorizing(server).leave(request.user.account)
    await tell_revoked(edge, request.user, server.name, grant, at_server=revoked)
    return answer(RevokedView(server.name, grant is not None, revoked))


def view(server: str, principal: Principal, grant: Grant | None) -> AuthorizationView:
    """What is told of a grant."""
    if grant is None:
        return AuthorizationView(server=server, key=principal.key, state="missing")
    return AuthorizationView(
        server=server, key=principal.key, state="granted", id=grant.id, granted_at=grant.granted_at,
        expires_at=grant.expires_at, refreshable=grant.refresh_token is not None, scopes=(grant.scope or "").split(),
        wanted=(grant.wanted or "").split(),
        authorization_server=grant.place.issuer or urlsplit(grant.place.token_endpoint).hostname,
    )  # fmt: skip


def server_of(edge: Edge, principal: Principal, name: str) -> Personal:
    """The server, if an agent that the principal sees has it; raises `NotFound`, or `Conflict` where nothing can be
    granted."""
    server = edge.snapshot.servers.get(name)
    plans = [plan for plan in edge.snapshot.agents.values() if principal.sees_agent(plan.name)]
    if server is None or not (principal.allows(_ALL) or any(server in plan.servers for plan in plans)):
        raise NotFound(f"there is no MCP server {name[:80]!r}", code="mcp_server_not_found")
    if not isinstance(server, Personal):
        message = f"MCP server {name!r} is not used with accounts of people: its auth is not of type oauth2_user"
        raise Conflict(message, code="not_personal")
    return server


def asker_of(principal: Principal) -> Asker:
    """Who asks for access."""
    return Asker(principal.account, principal.key, principal.team, principal.digest)


def asker_known(edge: Edge, asker: Asker) -> bool:
    """Whether who asked may still have something granted: the key is there, and is the same."""
    host = edge.host
    found = host.principal(asker.digest) or host.visitors.recall(asker.key, asker.team, asker.digest)
    return found is not None and found.account == asker.account


def start_url(edge: Edge, token: str) -> str:
    """The link of a question."""
    return f"{edge.base}/oauth/start/{token}"


def vault_of(edge: Edge) -> Custody:
    """Where questions are kept."""
    custody = custody_of(edge.reloader.overlays)
    if custody is None:
        raise NotFound("nothing can be granted here", code="authorization_not_found")
    return custody


async def tell(edge: Edge, what: str, flow: Flow, *, outcome: str = "ok") -> None:
    """The audit log says who was granted what, and what became of an answer; never a code or a token."""
    asker = flow.asker
    details = {"server": flow.server, "id": flow.id, "scope": flow.place.scope or ""}
    by = Principal(asker.key, asker.team, asker.digest, frozenset())
    await edge.host.auditor.tell(f"mcp_authorization.{what}", by, outcome=outcome, details=details)


async def tell_revoked(edge: Edge, by: Principal, server: str, grant: Grant | None, *, at_server: bool) -> None:
    """The audit log says who took back what, if there was anything."""
    if grant is not None:
        details = {"server": server, "id": grant.id, "at_server": at_server}
        await edge.host.auditor.tell("mcp_authorization.revoked", by, details=details)
