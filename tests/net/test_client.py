"""The shared client: no cookies, no proxies, careful redirects, bounded bodies."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import sys

import pytest
from aiohttp import web

from headgate import __version__
from headgate.core.errors import ToolError
from headgate.net.client import exchange, open_client, read, read_start
from headgate.net.egress import Egress
from headgate.testing.tool_kit import site

OPEN = Egress(("127.0.0.1", "localhost"))


async def echo(request: web.Request) -> web.Response:
    return web.json_response(dict(request.headers))


async def test_the_client_says_who_it_is() -> None:
    """The User-Agent is the gateway's, with its version."""
    async with site({"/": echo}) as url, open_client(OPEN) as client:
        assert (await client.get(url)).json()["User-Agent"] == f"headgate/{__version__}"


async def test_no_cookie_is_kept() -> None:
    """A cookie that a server sets is not sent back."""

    async def bake(_request: web.Request) -> web.Response:
        return web.Response(headers={"Set-Cookie": "session=1; Path=/"})

    async with site({"/bake": bake, "/": echo}) as url, open_client(OPEN) as client:
        await client.get(f"{url}/bake")
        assert "Cookie" not in (await client.get(url)).json()


PROGRAM = """
import asyncio, sys
from headgate.net.client import open_client
from headgate.net.egress import Egress

async def main():
    async with open_client(Egress(("127.0.0.1",))) as client:
        print((await client.get(sys.argv[1])).status_code)

asyncio.run(main())
"""


async def test_proxies_of_the_environment_are_not_used() -> None:
    """A proxy in the environment leads nowhere: the request reaches its server all the same."""
    environ = {**os.environ, "HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
    async with site({"/": echo}) as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, url, env=environ, stdout=subprocess.PIPE
        )
        out, _ = await process.communicate()
    assert out.strip() == b"200"


async def test_redirects_are_followed_only_when_asked() -> None:
    """Without `redirects` the response is the redirect; with it, at most so many hops are made."""

    async def again(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"/{int(request.match_info['n']) + 1}")

    async with site({"/{n}": again}) as url, open_client(OPEN) as client:
        for hops in (0, 3):
            request = client.build_request("GET", f"{url}/0")
            async with exchange(client, request, redirects=hops) as response:
                assert response.headers["location"] == f"/{hops + 1}"


async def test_a_redirect_within_the_origin_keeps_headers() -> None:
    """The same server gets the same credentials."""

    async def move(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/")

    async with site({"/move": move, "/": echo}) as url, open_client(OPEN) as client:
        request = client.build_request("GET", f"{url}/move", headers={"Authorization": "Bearer t", "X-Key": "k"})
        async with exchange(client, request, redirects=5) as response:
            await response.aread()
    assert (response.json()["Authorization"], response.json()["X-Key"]) == ("Bearer t", "k")


async def test_a_redirect_to_another_origin_drops_what_may_be_secret() -> None:
    """Another host gets no header of the manifest, whatever it is called."""
    async with site({"/": echo}) as other:

        async def leave(_request: web.Request) -> web.Response:
            raise web.HTTPFound(f"{other}/")

        async with site({"/leave": leave}) as url, open_client(OPEN) as client:
            headers = {"Authorization": "Bearer t", "X-Key": "k", "Accept": "text/x"}
            request = client.build_request("GET", f"{url}/leave", headers=headers)
            async with exchange(client, request, redirects=5) as response:
                await response.aread()
    seen = response.json()
    assert not {"Authorization", "X-Key"} & set(seen)
    assert (seen["Accept"], seen["Host"]) == ("text/x", other.removeprefix("http://"))


async def test_bodies_are_bounded_after_decompression() -> None:
    """A small body that unpacks to a large one is stopped at the limit."""

    async def bomb(_request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"x" * 5_000_000), headers={"Content-Encoding": "gzip"})

    async with site({"/": bomb}) as url, open_client(OPEN) as client:
        async with exchange(client, client.build_request("GET", url)) as response:
            with pytest.raises(ToolError) as caught:
                await read(response, 1000)
        async with exchange(client, client.build_request("GET", url)) as response:
            assert await read_start(response, 1000) == b"x" * 1000
        async with exchange(client, client.build_request("GET", url)) as response:
            assert len(await read(response, 5_000_000)) == 5_000_000
    assert caught.value.code == "result_too_large"
