"""Puts the routes together: one data-driven Litestar application that never changes while revisions come and go."""

from __future__ import annotations

from typing import Any

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ControllerRouterHandler

from headgate import __version__
from headgate.compile.serving import Server
from headgate.core.errors import GatewayError
from headgate.server import (
    admin,
    agents,
    audit,
    authorizations,
    chat,
    chat_tools,
    conversations,
    executions,
    invoke,
    keys,
    kills,
    links,
    mcp_offers,
    mcp_servers,
    oauth,
    pins,
    policies,
    runs,
    sessions,
    status,
    tools,
    usage,
    waits,
)  # fmt: skip
from headgate.server.audited import Audited
from headgate.server.door import Door, allowed_hosts, allowed_origins
from headgate.server.edge import Edge
from headgate.server.errors import on_crash, on_gateway_error, on_http_error
from headgate.server.pages import paging
from headgate.server.queries import refuse_unknown, remember

ROUTES: tuple[ControllerRouterHandler, ...] = (
    chat.health,
    chat.init,
    chat.chat,
    chat_tools.approve,
    chat_tools.deliver,
    status.live,
    status.ready,
    status.status,
    policies.policies,
    agents.list_agents,
    agents.get_agent,
    tools.list_tools,
    tools.get_tool,
    invoke.invoke,
    invoke.talk,
    runs.create_run,
    runs.list_runs,
    runs.get_run,
    runs.run_steps,
    runs.run_events,
    runs.cancel_run,
    executions.list_executions,
    executions.get_execution,
    executions.cancel_execution,
    sessions.create_session,
    sessions.list_sessions,
    sessions.get_session,
    sessions.fork,
    sessions.close,
    sessions.delete_session,
    conversations.list_messages,
    conversations.export,
    conversations.list_grants,
    conversations.revoke_grants,
    waits.list_approvals,
    waits.get_approval,
    waits.decide,
    links.make_links,
    links.show_link,
    links.use_link,
    waits.list_waits,
    waits.get_wait,
    waits.reply,
    audit.list_audit,
    audit.verify_audit,
    usage.usage,
    keys.list_keys,
    keys.create_key,
    keys.get_key,
    keys.patch_key,
    keys.rotate_key,
    keys.delete_key,
    kills.list_kills,
    kills.get_kill,
    kills.kill,
    kills.revive,
    mcp_servers.list_servers,
    mcp_servers.create_server,
    mcp_servers.get_server,
    mcp_servers.update_server,
    mcp_servers.delete_server,
    mcp_servers.test_server,
    mcp_servers.refresh_server,
    mcp_servers.server_tools,
    authorizations.authorize,
    authorizations.get_authorization,
    authorizations.revoke_authorization,
    oauth.show_start,
    oauth.start,
    oauth.callback,
    mcp_offers.list_prompts,
    mcp_offers.fill_prompt,
    mcp_offers.list_resources,
    pins.list_pins,
    pins.get_pins,
    pins.approve_pins,
    admin.reload,
    admin.diagnostics,
    status.openapi,
)
"""Every route. A new wire dialect is one module and its handlers here."""


def create_app(edge: Edge, server: Server, *, bound: str) -> Door:
    """The ASGI application of a gateway that is already running; `bound` is the address that it listens on."""
    app = Litestar(
        ROUTES,
        state=State({"edge": edge}),
        dependencies={
            "edge": Provide(_edge, sync_to_thread=False),
            "paging": Provide(paging, sync_to_thread=False),
        },
        before_request=refuse_unknown,
        exception_handlers={GatewayError: on_gateway_error, HTTPException: on_http_error, Exception: on_crash},
        cors_config=_cors(server),
        request_max_body_size=server.limits.body,
        openapi_config=OpenAPIConfig(
            title="Headgate",
            version=__version__,
            path="/openapi",
            use_handler_docstrings=True,
            components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
            render_plugins=[JsonRenderPlugin(path="/schema.json")],
        ),
        logging_config=None,
        debug=False,
    )
    remember(app)
    return Door(Audited(app, edge.host.auditor), allowed_hosts(server, bound), allowed_origins(server))


def _edge(state: State) -> Edge:
    edge: Edge = state["edge"]
    return edge


def _cors(server: Server) -> CORSConfig | None:
    if not server.cors.origins:
        return None
    names: list[Any] = [
        "Accept",
        "Accept-Language",
        "Authorization",
        "Content-Language",
        "Content-Type",
        "X-MCP-Secret",
    ]
    return CORSConfig(
        allow_origins=list(server.cors.origins),
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        allow_headers=[*names, "Last-Event-ID", "X-Headgate-Agent"],
        expose_headers=[
            "ETag",
            "Location",
            "X-Headgate-Run",
            "X-Headgate-Session",
            "X-Headgate-Revision",
            "X-Headgate-Demo",
        ],
    )
