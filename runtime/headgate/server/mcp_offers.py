"""What MCP servers offer besides tools: prompts for people, and a look at what their resources are.

Reading a resource is for tools, which pass the policies; a prompt is a text for the person who asks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response.base import ASGIResponse
from pydantic import Field

from headgate.core.context import Principal
from headgate.core.errors import NotFound, ToolError
from headgate.core.messages import Text
from headgate.engine import servers
from headgate.mcp.asking import Asking
from headgate.mcp.listing import visible
from headgate.mcp.upstream import Upstream
from headgate.mcp.wiring import Link
from headgate.server.bodies import Body
from headgate.server.edge import Edge
from headgate.server.errors import refusal
from headgate.server.native import native, read
from headgate.server.shapes import part_view
from headgate.server.wire import answer
from headgate.tools.mcp.resources import RESOURCE, TEMPLATE, entry
from headgate.tools.mcp.results import parts_of

READERS = ("agents:read", "chat", "admin:mcp")
ByKey = Request[Principal, Any, State]
_PATH = "/v1/mcp/{server_name:str}"
_STATUS = {"connection_error": 502, "auth_error": 502, "auth_required": 409, "tool_timeout": 504, "invalid_result": 502}


class PromptArgument(msgspec.Struct):
    """What can be filled in."""

    name: str
    description: str
    required: bool


class PromptView(msgspec.Struct):
    """A prompt of a server, by its own words."""

    name: str
    title: str
    description: str
    arguments: list[PromptArgument]


class PromptPart(msgspec.Struct):
    """A message of a prompt; `parts` are as in the messages of a session."""

    role: str
    content: str
    parts: list[dict[str, Any]]


class Filled(msgspec.Struct):
    """A prompt that is filled in: text of the server, which nobody vouches for."""

    description: str
    messages: list[PromptPart]


class Resources(msgspec.Struct):
    """What the resources of a server are: `uri`, `name`, `title`, `description`, `mime_type`, `size`, as far as it says
    so; templates have a `uri_template`."""

    resources: list[dict[str, Any]]
    templates: list[dict[str, Any]]


class Fill(Body):
    """Body of `POST /v1/mcp/{server_name}/prompts/{prompt_name}`."""

    arguments: Annotated[dict[str, Annotated[str, Field(max_length=100_000)]], Field(max_length=100)] = {}


@get(
    f"{_PATH}/prompts",
    **native(
        "mcp servers", "The prompts of an MCP server", scopes=READERS, answers={200: list[PromptView]},
        errors=(404, 409, 502, 504),
    ),
)  # fmt: skip
async def list_prompts(server_name: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Of a server that an agent has which the key may see."""
    return await _asked(edge, request, server_name, _prompts)


@post(
    f"{_PATH}/prompts/{{prompt_name:str}}",
    **native(
        "mcp servers", "Fill in a prompt of an MCP server", scopes=READERS, body=Fill, answers={200: Filled},
        errors=(404, 409, 502, 504),
    ),
)  # fmt: skip
async def fill_prompt(
    server_name: FromPath[str], prompt_name: FromPath[str], request: ByKey, edge: NamedDependency[Edge]
) -> ASGIResponse:
    """Its messages, for the person to read and send on; no model has read them."""
    _server(edge, request.user, server_name)
    body = await read(request, Fill)

    async def filled(link: Link, asking: Asking) -> Any:
        found = await link.prompt(prompt_name, body.arguments, asking)
        messages = []
        for each in found.messages:
            texts = [_washed(edge, part) for part in parts_of([each.content])]
            said = "".join(part.text for part in texts if isinstance(part, Text))
            messages.append(PromptPart(each.role, said, [part_view(part) for part in texts]))
        return Filled(_said(edge, found.description), messages)

    return await _asked(edge, request, server_name, filled)


@get(
    f"{_PATH}/resources",
    **native(
        "mcp servers", "The resources of an MCP server", scopes=READERS, answers={200: Resources},
        errors=(404, 409, 502, 504),
    ),
)  # fmt: skip
async def list_resources(server_name: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """What there is; agents read it with the tool `read_resource`, where the server has `resources = true`."""

    async def listed(link: Link, asking: Asking) -> Any:
        resources = [entry(each, RESOURCE) for each in await link.listed("resources", asking)]
        templates = [entry(each, TEMPLATE) for each in await link.listed("resource_templates", asking)]
        return Resources(resources, templates)

    return await _asked(edge, request, server_name, listed)


async def _prompts(link: Link, asking: Asking) -> Any:
    return [
        PromptView(
            str(raw.get("name", "")), visible(raw.get("title"), 200), visible(raw.get("description")),
            [_argument(each) for each in raw.get("arguments") or ()],
        )
        for raw in await link.listed("prompts", asking)
    ]  # fmt: skip


def _argument(raw: Any) -> PromptArgument:
    return PromptArgument(str(raw.get("name", "")), visible(raw.get("description"), 1000), bool(raw.get("required")))


async def _asked(edge: Edge, request: ByKey, name: str, work: Callable[[Link, Asking], Awaitable[Any]]) -> ASGIResponse:
    """What the work on the server comes to; nobody is asked anything for it."""
    upstream = _server(edge, request.user, name)
    limit = upstream.spec.timeout or 30.0
    asking = Asking(asyncio.get_running_loop().time() + limit, repeatable=True, account=request.user.account)
    try:
        async with asyncio.timeout(limit):
            return answer(await upstream.perform(lambda link: work(link, asking), asking))
    except TimeoutError:
        return refusal(request.scope["path"], 504, "tool_timeout", f"MCP server {name} did not answer in {limit:g} s")
    except ToolError as error:
        return refusal(request.scope["path"], _STATUS.get(error.code, 422), error.code, _said(edge, error.message))


def _server(edge: Edge, principal: Principal, name: str) -> Upstream:
    """The server, if an agent has it that the principal may see; raises `NotFound`, and as a new run for a kill
    switch that stops the server."""
    seen = [plan for plan in edge.snapshot.agents.values() if principal.sees_agent(plan.name)]
    known = principal.allows("admin:mcp") or any(each.name == name for plan in seen for each in plan.servers)
    live = servers.find(edge.snapshot, name).live if known else None
    if live is None or live.name != name:
        raise NotFound(f"there is no MCP server {name[:80]!r}", code="mcp_server_not_found")
    switch = edge.host.warden.switches.of_tool("", name) or edge.host.warden.switches.of_run(
        principal.key, principal.team, ""
    )
    if switch is not None:
        raise switch.refusal()
    return live


def _washed(edge: Edge, part: Any) -> Any:
    return Text(_said(edge, part.text)) if isinstance(part, Text) else part


def _said(edge: Edge, text: str | None) -> str:
    return visible(edge.snapshot.scrub(text or ""), 1 << 20)
