"""Servers with a URL: both eras, both transports, credentials, the egress guard, what happens when they go and come."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.net.egress import Egress
from headgate.testing.mcp_http import HttpServer, sent
from tests.mcp.servers import descriptors, opened, ready, refused, remote, said
from tests.waiting import until

FORMS: list[tuple[dict[str, Any], str]] = [
    ({}, "streamable_http"),
    ({"era": "legacy"}, "streamable_http"),
    ({"sse": True}, "sse"),
    ({"sse": True, "era": "legacy"}, "sse"),
]
IDS = ["http", "http-legacy", "sse", "sse-legacy"]


@pytest.mark.parametrize(("form", "transport"), FORMS, ids=IDS)
async def test_a_server_is_listed_called_and_heard(form: dict[str, Any], transport: str) -> None:
    """Its tools are known and called, and a change of the list is heard of."""
    async with HttpServer(**form) as server, ready(remote(server.url, transport=transport)) as upstream:
        assert sorted(upstream.listing.tools) == ["ask", "echo", "sleep"]
        assert upstream.health.protocol == ("2025-11-25" if form.get("era") else "2026-07-28")
        assert await said(upstream, "echo", text="hello") == "hello"
        await server.change("fresh")
        await until(lambda: "fresh" in upstream.listing.tools)


# The SDK leaves memory streams of its own to the collector when an SSE server is stopped under its clients.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*MemoryObject:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("form", "transport"), FORMS, ids=IDS)
async def test_a_server_that_went_away_is_found_again(form: dict[str, Any], transport: str) -> None:
    """A call that comes while it is away waits for it, and works."""
    async with HttpServer(**form) as server, ready(remote(server.url, transport=transport)) as upstream:
        await server.stop()
        call = asyncio.create_task(said(upstream, "echo", text="back"))
        await until(lambda: upstream.health.state != "ready")
        await server.start()
        assert await call == "back"
        assert await said(upstream, "echo", text="again") == "again"


@pytest.mark.parametrize(("form", "transport"), FORMS, ids=IDS)
async def test_cancelling_a_call_cancels_it_on_the_server(form: dict[str, Any], transport: str) -> None:
    """The server hears of it."""
    async with HttpServer(**form) as server, ready(remote(server.url, transport=transport)) as upstream:
        call = asyncio.create_task(said(upstream, "sleep"))
        await until(lambda: "sleep" in server.calls)
        call.cancel()
        await asyncio.wait([call])
        await until(lambda: server.cancelled == 1)
        assert await said(upstream, "echo", text="on") == "on"


@pytest.mark.parametrize(
    ("keys", "header", "value"),
    [
        ({"auth": {"type": "bearer", "token": "s3cret-token"}}, "authorization", "Bearer s3cret-token"),
        ({"auth": {"type": "api_key", "header": "X-Key", "key": "s3cret-key"}}, "x-key", "s3cret-key"),
        ({"auth": {"type": "api_key", "key": "s3cret-key"}}, "x-api-key", "s3cret-key"),
        ({"headers": {"X-Team": "ops"}}, "x-team", "ops"),
    ],
    ids=["bearer", "api_key", "api_key-default", "headers"],
)
async def test_credentials_are_sent_with_every_request(keys: dict[str, Any], header: str, value: str) -> None:
    """Not one request goes without."""
    async with HttpServer() as server, ready(remote(server.url, **keys)) as upstream:
        await said(upstream, "echo", text="x")
        assert len(server.headers) >= 3
        assert sent(server, header) == [value] * len(server.headers)


async def test_a_credential_that_is_refused() -> None:
    """The fault is of the credential, and calls fail at once instead of waiting for what will not come."""
    async with HttpServer(token="right-token") as server:
        spec = remote(server.url, auth={"type": "bearer", "token": "wrong-token"})
        async with opened(spec) as upstream:
            fault = await upstream.warm(10)
            assert fault is not None
            assert (fault.code, "401" in fault.message, "wrong-token" in fault.message) == ("auth_error", True, False)
            assert (await refused(upstream, "echo", text="x")).code == "auth_error"


async def test_a_token_that_is_withdrawn_while_the_server_is_in_use() -> None:
    """The next call says so."""
    async with HttpServer(token="the-token") as server:
        spec = remote(server.url, auth={"type": "bearer", "token": "the-token"})
        async with ready(spec) as upstream:
            server.token = "another-token"
            assert (await refused(upstream, "echo", text="x")).code == "auth_error"


async def test_the_egress_guard() -> None:
    """An address that is not allowed is a fault of the configuration; nothing is sent there."""
    async with HttpServer() as server, opened(remote(server.url), egress=Egress()) as upstream:
        fault = await upstream.warm(10)
        assert fault is not None
        assert (fault.code, server.headers) == ("config_error", [])


async def test_redirects_lead_nowhere_else() -> None:
    """A credential does not follow a redirect to another origin."""
    async with HttpServer() as other, HttpServer(redirect=f"{other.url}") as server:
        spec = remote(server.url, auth={"type": "bearer", "token": "the-token"})
        async with opened(spec) as upstream:
            fault = await upstream.warm(10)
            assert fault is not None
            assert (fault.code, other.headers) == ("connection_error", [])


async def test_a_server_that_is_not_there(closed_port: int) -> None:
    """It cannot be reached, and is tried again."""
    async with opened(remote(f"http://127.0.0.1:{closed_port}/mcp")) as upstream:
        fault = await upstream.warm(10)
        assert fault is not None
        assert fault.code == "connection_error"
        assert (await refused(upstream, "echo", 0.5, text="x")).code == "connection_error"


async def test_something_that_is_no_mcp_server() -> None:
    """A URL that answers something else is a fault of the connection."""
    async with HttpServer() as server, opened(remote(server.url.replace("/mcp", "/nothing"))) as upstream:
        fault = await upstream.warm(10)
        assert fault is not None
        assert fault.code == "connection_error"


async def test_questions_are_declined() -> None:
    """Over HTTP, too."""
    async with HttpServer() as server, ready(remote(server.url)) as upstream:
        assert await said(upstream, "ask") == "decline"


@pytest.mark.parametrize(("form", "transport"), FORMS, ids=IDS)
async def test_nothing_is_left_open(form: dict[str, Any], transport: str) -> None:
    """Closing a server leaves no descriptor and no task of it behind."""
    async with HttpServer(**form) as server:
        spec = remote(server.url, transport=transport)
        async with ready(spec) as upstream:
            await said(upstream, "echo", text="x")
        await until(lambda: server.connections == 0)
        before, tasks = descriptors(), len(asyncio.all_tasks())
        for _ in range(3):
            async with ready(spec) as upstream:
                await said(upstream, "echo", text="x")
        await until(lambda: server.connections == 0)
        await until(lambda: descriptors() <= before and len(asyncio.all_tasks()) <= tasks)
