"""The guarded transport: what is checked is what is dialled."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

import httpx2
import pytest
from aiohttp import web

from headgate.core.errors import EgressRefused
from headgate.net.client import open_client
from headgate.net.egress import Egress
from headgate.testing.tool_kit import site

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""A self-signed certificate for localhost, with its key: worth nothing outside these tests."""


async def hello(_request: web.Request) -> web.Response:
    return web.Response(text="hello")


class Names:
    """A resolver whose answer changes with every question, as that of an attacker's DNS server does."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.left = list(answers)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


async def test_loopback_is_refused_unless_allowed() -> None:
    """Without an entry nothing on loopback is reached; with one, plain http is."""
    async with site({"/": hello}) as url:
        async with open_client(Egress()) as client:
            with pytest.raises(EgressRefused):
                await client.get(url)
        async with open_client(Egress(("127.0.0.1",))) as client:
            assert (await client.get(url)).text == "hello"


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.0.0.1", "[::ffff:127.0.0.1]", "localhost", "0.0.0.0"])
async def test_other_spellings_of_loopback_are_refused(host: str) -> None:
    """Whatever the system reads as a loopback address is one."""
    async with open_client(Egress()) as client:
        with pytest.raises(EgressRefused):
            await client.get(f"https://{host}:1/")


async def test_a_host_that_answers_differently_gains_nothing() -> None:
    """A name is looked up once a connection, so the answer that was checked is the one that is dialled."""
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    async with site({"/": hello}) as url:
        target = f"http://rebinding.example:{httpx2.URL(url).port}/"
        async with open_client(Egress(("127.0.0.1",)), resolve=names) as client:
            assert (await client.get(target)).text == "hello"
            assert names.left == [["127.0.0.2"]]
        async with open_client(Egress(("127.0.0.1",)), resolve=names) as client:
            with pytest.raises(EgressRefused, match="loopback"):
                await client.get(target)


async def test_a_name_is_dialled_at_the_address_that_was_checked() -> None:
    """An allowed name is reached at what the resolver said, the next address if the first does not answer."""
    async with site({"/": hello}) as url:
        port = httpx2.URL(url).port
        async with open_client(Egress(("crm.internal",)), resolve=Names(["127.0.0.9", "127.0.0.1"])) as client:
            response = await client.get(f"http://crm.internal:{port}/")
    assert (response.text, response.request.headers["host"]) == ("hello", f"crm.internal:{port}")


async def test_a_redirect_to_a_refused_address_is_refused() -> None:
    """Every hop passes the guard."""

    async def leave(_request: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.2:1/")

    async with site({"/": leave}) as url, open_client(Egress(("127.0.0.1",))) as client:
        with pytest.raises(EgressRefused):
            await client.get(url, follow_redirects=True)


@pytest.mark.parametrize("url", ["ftp://example.com/", "file:///etc/passwd", "http://example.com/"])
async def test_other_schemes_and_plain_http_are_refused(url: str) -> None:
    """Only https leaves by itself."""
    async with open_client(Egress()) as client:
        with pytest.raises(EgressRefused):
            await client.get(url)


async def test_failures_are_those_of_the_client_library() -> None:
    """Refused connections, unknown names and cut answers are errors of httpx2."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with open_client(Egress(("127.0.0.1", "*.invalid"))) as client, server:
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get(f"http://127.0.0.1:{port}/")
        with pytest.raises(httpx2.ConnectError, match="could not be resolved"):
            await client.get("http://nothing.invalid/")
        server.close()
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/")


async def test_a_slow_look_up_is_a_connect_timeout() -> None:
    """The time for connecting covers DNS."""

    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with open_client(Egress(), timeout=0.01, resolve=never) as client:
        with pytest.raises(httpx2.ConnectTimeout):
            await client.get("https://example.com/")


async def test_certificates_are_verified() -> None:
    """A certificate that nobody vouches for is refused; with its authority given, the same server is reached."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    runner = web.ServerRunner(web.Server(hello))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"https://localhost:{runner.addresses[0][1]}/"
    egress, names = Egress(("localhost",)), Names(["127.0.0.1"])
    async with open_client(egress, resolve=names) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get(url)
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    async with open_client(egress, resolve=names, context=trusting) as client:
        assert (await client.get(url)).text == "hello"
    await runner.cleanup()
