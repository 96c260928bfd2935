"""The client that the official MCP conformance suite tests: the gateway's own connections to MCP servers.

It is run once a scenario, with the URL of the suite's server, and the scenario's name and context. It opens the server
as the gateway does, and calls what is listed.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from headgate.core.errors import GatewayError
from headgate.core.inputs import Question, Reply, Round
from headgate.core.kind import Env
from headgate.mcp import link
from headgate.mcp.asking import Asking
from headgate.mcp.spec import ServerSpec
from headgate.mcp.upstream import Upstream
from headgate.mcp.user_flow import Answer, Identity, UserAuth
from headgate.mcp.wiring import Wiring
from headgate.net.client import make_client, open_client
from headgate.net.egress import Egress

PATIENCE = 60.0
"""Seconds that connecting or a call may take."""
METADATA_URL = "https://conformance-test.local/client-metadata.json"
CALLBACK = "http://localhost:3000/callback"
LOOPBACK = Egress(("localhost", "127.0.0.1", "::1"))


class Granting:
    """A person who grants everything: follows the link as far as the address that it sends them back to."""

    def __init__(self) -> None:
        self._came: Answer | None = None

    async def send(self, url: str) -> None:
        """Visits the page."""
        async with httpx2.AsyncClient(follow_redirects=False) as browser:
            response = await browser.get(url)
        query = parse_qs(urlsplit(response.headers["location"]).query)
        given = {name: query[name][0] for name in ("state", "iss") if name in query}
        self._came = Answer(query["code"][0], **given)

    async def answer(self) -> Answer:
        """What the address said."""
        assert self._came is not None
        return self._came


class Memory(dict[str, str]):
    """Keeps tokens for the length of the scenario."""

    async def read(self, name: str) -> str | None:
        """What was written."""
        return self.get(name)

    async def write(self, name: str, text: str) -> None:
        """Keeps it."""
        self[name] = text


async def accept(question: Question) -> Reply:
    """Accepts with the defaults of the form (SEP-1034)."""
    properties = (question.schema or {}).get("properties", {})
    return Reply("accept", {name: each["default"] for name, each in properties.items() if "default" in each})


def sample(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that fit the schema."""
    values: dict[str, Any] = {"number": 5, "integer": 5, "boolean": True, "string": "text", "array": [], "object": {}}
    properties = schema.get("properties", {})
    return {name: values.get(properties.get(name, {}).get("type", "string")) for name in schema.get("required", ())}


async def call(upstream: Upstream, name: str, args: dict[str, Any]) -> None:
    """Calls one tool; a failure is told, and is for the suite to judge."""
    asking = Asking(asyncio.get_running_loop().time() + PATIENCE, ask=accept)
    try:
        async with asyncio.timeout(PATIENCE):
            while isinstance(result := await upstream.call(name, args, asking), Round):
                asking.round = result
                while asking.round.next is not None:
                    asking.round = asking.round.with_reply(await accept(asking.round.questions[asking.round.next]))
        print(f"{name}: {result}", file=sys.stderr)  # noqa: T201
    except (GatewayError, TimeoutError) as error:
        print(f"{name} failed: {error!r}", file=sys.stderr)  # noqa: T201


async def play(url: str, scenario: str, context: Mapping[str, Any]) -> int:
    """Opens the server and calls its tools; 1 when it could not be opened."""
    spec = ServerSpec.model_validate({"url": url, "connection_timeout": PATIENCE, "timeout": PATIENCE})
    auth = None
    if scenario.startswith("auth/"):
        identity = Identity(CALLBACK, context.get("client_id"), context.get("client_secret"), _method(context))
        known = identity if identity.client_id else Identity(CALLBACK, metadata_url=METADATA_URL)
        auth = UserAuth(url, known, Granting(), Memory())
    async with open_client(LOOPBACK) as http:
        env = Env(
            name="conformance",
            http=http,
            read=lambda path: path.encode(),
            client=functools.partial(make_client, LOOPBACK),
        )

        def connect(mode: str) -> Any:
            return link.linked(spec, env, mode=mode, heard=print, auth=auth)

        upstream = Upstream("conformance", spec, Wiring(connect, lambda: None, str))
        owner = asyncio.create_task(upstream.keep())
        try:
            return await exercise(upstream, scenario, context)
        finally:
            owner.cancel()
            await asyncio.wait([owner])


def _method(context: Mapping[str, Any]) -> str | None:
    return "client_secret_basic" if context.get("client_secret") else None


async def exercise(upstream: Upstream, scenario: str, context: Mapping[str, Any]) -> int:
    """Calls what the scenario wants called, else every tool that is listed."""
    if error := await upstream.warm(PATIENCE):
        print(f"cannot connect: {error}", file=sys.stderr)  # noqa: T201
        return 1
    given = context.get("toolCalls")
    tools = upstream.listing.tools
    calls = (
        [(each["name"], each["arguments"]) for each in given]
        if given
        else [(name, sample(tool.input_schema)) for name, tool in tools.items()]
    )
    if scenario == "sep-2322-client-request-state":
        await asyncio.gather(*(call(upstream, name, args) for name, args in calls))
        return 0
    for name, args in calls:
        await call(upstream, name, args)
    return 0
