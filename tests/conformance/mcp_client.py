"""The client that the official MCP conformance suite tests: the gateway's own connections to MCP servers.

It is run once a scenario, with the URL of the suite's server, and the scenario's name and context. It opens the server
as the gateway does, and calls what is listed.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from headgate.core.errors import GatewayError
from headgate.core.inputs import Question, Reply, Round
from headgate.core.kind import Env
from headgate.core.vault import Kept
from headgate.mcp import consent
from headgate.mcp.asking import Asking
from headgate.mcp.authorizing import Authorizing
from headgate.mcp.consent import Asker, Came
from headgate.mcp.kind import open_server
from headgate.mcp.personal import Personal
from headgate.mcp.spec import ServerSpec
from headgate.mcp.upstream import Upstream
from headgate.net.client import make_client, open_client
from headgate.net.egress import Egress

PATIENCE = 60.0
"""Seconds that connecting or a call may take."""
METADATA_URL = "https://conformance-test.local/client-metadata.json"
CALLBACK = "http://localhost:3000/callback"
ACCOUNT = "person"
GRANTS = 2
"""Times that one call is tried, with another grant each time."""
LOOPBACK = Egress(("localhost", "127.0.0.1", "::1"))


class Memory(dict[tuple[str, str, str], tuple[str, int]]):
    """A vault for the length of the scenario."""

    async def read(self, kind: str, owner: str, name: str, /) -> Kept | None:
        """What was written."""
        held = self.get((kind, owner, name))
        return Kept(*held) if held is not None else None

    async def write(self, kind: str, owner: str, name: str, text: str, /, *, expires_at: float | None = None) -> None:
        """Keeps it."""
        del expires_at
        self[kind, owner, name] = (text, 1)

    async def change(self, kind: str, owner: str, name: str, text: str, revision: int, /) -> bool:
        """Replaces it."""
        if self.get((kind, owner, name), ("", 0))[1] != revision:
            return False
        self[kind, owner, name] = (text, revision + 1)
        return True

    async def take(self, kind: str, owner: str, name: str, /) -> Kept | None:
        """Forgets it."""
        held = self.pop((kind, owner, name), None)
        return Kept(*held) if held is not None else None

    async def owners(self, kind: str, name: str, /) -> tuple[str, ...]:
        """Whose there are."""
        return tuple(owner for of, owner, at in self if (of, at) == (kind, name))

    def alone(self, _kind: str, _owner: str, _name: str, /) -> contextlib.AbstractAsyncContextManager[None]:
        """Nobody else is here."""
        return contextlib.nullcontext()


async def grant(server: Personal, vault: Memory) -> None:
    """A person grants everything: follows the link as far as the address that it sends them back to."""
    flow, token = await Authorizing(server).ask(Asker(ACCOUNT, ACCOUNT, "", ""), CALLBACK)
    began = await consent.begin(vault, token)
    async with httpx2.AsyncClient(follow_redirects=False) as browser:
        response = await browser.get(began.url)
    query = {name: each[0] for name, each in parse_qs(urlsplit(response.headers["location"]).query).items()}
    came = Came(query.get("code"), query.get("error"), query.get("iss"))
    flow = await consent.returned(vault, query["state"], began.cookie, came)
    if error := await Authorizing(server).accept(flow, came.code or ""):
        print(f"cannot connect: {error}", file=sys.stderr)  # noqa: T201


async def accept(question: Question) -> Reply:
    """Accepts with the defaults of the form (SEP-1034)."""
    properties = (question.schema or {}).get("properties", {})
    return Reply("accept", {name: each["default"] for name, each in properties.items() if "default" in each})


def sample(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that fit the schema."""
    values: dict[str, Any] = {"number": 5, "integer": 5, "boolean": True, "string": "text", "array": [], "object": {}}
    properties = schema.get("properties", {})
    return {name: values.get(properties.get(name, {}).get("type", "string")) for name in schema.get("required", ())}


async def call(upstream: Upstream, name: str, args: dict[str, Any], vault: Memory) -> None:
    """Calls one tool, and again when a person had to grant more for it; a failure is for the suite to judge."""
    loop = asyncio.get_running_loop()
    for _ in range(GRANTS):
        try:
            async with asyncio.timeout(PATIENCE):
                asking = Asking(loop.time() + PATIENCE, ask=accept, account=ACCOUNT)
                while isinstance(result := await upstream.call(name, args, asking), Round):
                    asking.round = result
                    while asking.round.next is not None:
                        asking.round = asking.round.with_reply(await accept(asking.round.questions[asking.round.next]))
            print(f"{name}: {result}", file=sys.stderr)  # noqa: T201
            return
        except (GatewayError, TimeoutError) as error:
            print(f"{name} failed: {error!r}", file=sys.stderr)  # noqa: T201
            if getattr(error, "code", "") != "auth_required" or not isinstance(upstream, Personal):
                return
            await grant(upstream, vault)


def auth_of(context: Mapping[str, Any]) -> dict[str, Any]:
    """The `auth` of the server: with the id that the scenario gives, else with one that is a URL."""
    known = {name: context[name] for name in ("client_id", "client_secret") if context.get(name)}
    if "client_secret" in known:
        known["auth_method"] = "basic"
    return {"type": "oauth2_user", **(known or {"metadata_url": METADATA_URL})}


async def play(url: str, scenario: str, context: Mapping[str, Any]) -> int:
    """Opens the server and calls its tools; 1 when it could not be opened."""
    auth = auth_of(context) if scenario.startswith("auth/") else None
    spec = ServerSpec.model_validate({"url": url, "auth": auth, "connection_timeout": PATIENCE, "timeout": PATIENCE})
    vault = Memory()
    async with open_client(LOOPBACK) as http:
        env = Env(
            name="conformance",
            http=http,
            read=lambda path: path.encode(),
            client=functools.partial(make_client, LOOPBACK),
            vault=vault,
        )
        async with open_server(spec, env) as upstream:
            error = await upstream.warm(PATIENCE)
            for _ in range(GRANTS):
                if error is None and isinstance(upstream, Personal) and not upstream.listed:
                    await grant(upstream, vault)
            if error is not None or not upstream.listed:
                print(f"cannot connect: {error}", file=sys.stderr)  # noqa: T201
                return 1
            await exercise(upstream, scenario, context, vault)
            return 0


async def exercise(upstream: Upstream, scenario: str, context: Mapping[str, Any], vault: Memory) -> None:
    """Calls what the scenario wants called, else every tool that is listed."""
    given = context.get("toolCalls")
    tools = upstream.listing.tools
    calls = (
        [(each["name"], each["arguments"]) for each in given]
        if given
        else [(name, sample(tool.input_schema)) for name, tool in tools.items()]
    )
    if scenario == "sep-2322-client-request-state":
        await asyncio.gather(*(call(upstream, name, args, vault) for name, args in calls))
        return
    for name, args in calls:
        await call(upstream, name, args, vault)
