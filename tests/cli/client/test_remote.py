"""A server that is not as it should be is told in words, and never waited for in vain."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from headgate.cli.client.remote import open_remote
from headgate.cli.client.target import Target
from headgate.core.errors import GatewayError
from headgate.core.events import Event, RunEnd, RunFailed, RunStarted, TextDelta
from headgate.core.messages import Message, Text

HELLO = b'data: {"type":"text_delta","text":"a\xe2\x80\xa8b"}\n\n'


@contextlib.asynccontextmanager
async def server(*pieces: bytes, status: int = 200, init: str = '{"session_token": "t"}') -> AsyncIterator[str]:
    """A server that opens sessions and answers every chat with these bytes; its URL."""

    async def opened(_request: web.Request) -> web.Response:
        return web.Response(text=init, content_type="application/json")

    async def answered(_request: web.Request) -> web.Response:
        return web.Response(body=b"".join(pieces), status=status)

    app = web.Application()
    app.add_routes([web.post("/gate/api/chat/init", opened), web.post("/gate/api/chat", answered)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "http://{}:{}/gate".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


async def ask(url: str) -> list[Event]:
    """The events of one answer."""
    async with open_remote(Target("helper", url=url), "key") as client:
        return [event async for event in client.ask([Message("user", (Text("hi"),))])]


async def test_foreign_server() -> None:
    """A server that tells neither run nor model can be talked to, below a path of its own."""
    async with server(HELLO, b'data: {"type":"stream_complete","usage":{}}\n\n') as url:
        started, said, ended = await ask(url)
    assert isinstance(started, RunStarted)
    assert (started.run, started.model) == ("", "")
    assert said == TextDelta(text="a\u2028b")
    assert isinstance(ended, RunEnd)


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        ((HELLO,), "connection_lost"),
        ((HELLO, b"data: {\n\n"), "protocol_error"),
        ((b'data: {"type":"text_delta"}\n\n',), "protocol_error"),
        ((b"data: [1]\n\n",), "protocol_error"),
        ((b'data: "\xff"\n\n',), "protocol_error"),
        ((b"data: " + b"[" * 100_000 + b"\n\n",), "protocol_error"),
    ],
)
async def test_broken_stream(pieces: tuple[bytes, ...], code: str) -> None:
    """A stream that ends early or holds what cannot be read ends the run with an error."""
    async with server(*pieces) as url:
        end = (await ask(url))[-1]
    assert isinstance(end, RunFailed)
    assert end.error.code == code


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, b'{"detail": "there is no agent"}', "not_found: there is no agent"),
        (422, b'{"detail": [{"msg": "Field required"}]}', "invalid_request: Field required"),
        (502, b"<html>", "protocol_error: HTTP 502"),
        (502, b'"\xff"', "protocol_error: HTTP 502"),
    ],
)
async def test_refusal(status: int, body: bytes, said: str) -> None:
    """A refusal is raised with the server's words, or with what is wrong about them."""
    async with server(body, status=status) as url:
        with pytest.raises(GatewayError) as caught:
            await ask(url)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("init", ["<html>", "{}", "[]"])
async def test_no_gateway(init: str) -> None:
    """A server that gives no token is not a gateway."""
    async with server(init=init) as url:
        with pytest.raises(GatewayError, match="not the answer of a gateway"):
            await ask(url)
