"""Servers that others wrote, from PyPI and npm, behind a gateway: both protocols, all transports.

They are fetched once and kept in pytest's cache. Where they cannot be had (no network, no node), the test is skipped
and says what it left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from headgate.core.messages import Image
from headgate.testing.harness import live
from headgate.testing.tool_kit import Listener, site
from headgate.tools.mcp import served
from scripts import packages
from tests.conftest import Tree
from tests.e2e.test_mcp import calling, results
from tests.elicitation.asking import asked, of, reply
from tests.mcp.servers import ready, remote, said
from tests.server.native import Caller

PYTHON = ("mcp-server-time==2026.10.19", "mcp-server-git==2026.10.19", "mcp-server-fetch==2026.10.24")
NODE = ("@modelcontextprotocol/server-filesystem", "@modelcontextprotocol/server-everything")


@pytest.fixture(scope="module")
def from_pypi(request: pytest.FixtureRequest) -> Path:
    """The folder with the servers from PyPI."""
    folder = Path(request.config.cache.mkdir("mcp-pypi")) / "servers"  # type: ignore[union-attr]
    try:
        packages.from_pypi(folder, *PYTHON)
    except packages.Unavailable as error:
        pytest.skip(f"left out {', '.join(PYTHON)}: {error}")
    return folder


@pytest.fixture(scope="module")
def from_npm(request: pytest.FixtureRequest) -> Path:
    """The folder with the servers from npm."""
    folder = Path(request.config.cache.mkdir("mcp-npm")) / "servers"  # type: ignore[union-attr]
    if shutil.which("node") is None:
        pytest.skip(f"left out {', '.join(NODE)}: there is no node on this machine")
    try:
        packages.from_npm(folder, *NODE)
    except packages.Unavailable as error:
        pytest.skip(f"left out {', '.join(NODE)}: {error}")
    return folder / "node_modules" / "@modelcontextprotocol"


def program(name: str, command: str, *args: str, **more: str) -> str:
    """The table of a server."""
    keys = "".join(f"{key} = {value}\n" for key, value in more.items())
    given = json.dumps(list(args))
    return f"[mcp.servers.{name}]\ncommand = '{command}'\nargs = {given}\nconnection_timeout = '60s'\n{keys}"


async def test_servers_from_pypi(tree: Tree, from_pypi: Path, tmp_path: Path) -> None:
    """Time, git and fetch do what they are for."""
    repository = tmp_path / "repository"
    await (await asyncio.create_subprocess_exec("git", "init", "-q", str(repository))).wait()
    (repository / "new.txt").write_text("new")
    env = f'{{PYTHONPATH = "{from_pypi}"}}'
    toml = program("time", sys.executable, "-m", "mcp_server_time", env=env)
    toml += program("git", sys.executable, "-m", "mcp_server_git", "--repository", str(repository), env=env)
    toml += program("fetch", sys.executable, "-m", "mcp_server_fetch", "--allow-private-ips", env=env)

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<html><body><p>Hello from a page</p></body></html>", content_type="text/html")

    async with site({"/page": page}) as url:
        script = calling(
            ("time__convert_time", {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}),
            ("git__git_status", {"repo_path": str(repository)}),
            ("fetch__fetch", {"url": f"{url}/page"}),
            ("time__get_current_time", {"timezone": "Nowhere/Atlantis"}),
        )
        async with live(tree(script, toml=toml, tools=[]), environ=dict(os.environ), watch=False) as gateway:
            time, git, fetched, wrong = await results(gateway)
    assert "21:00:00" in json.dumps(time)
    assert "new.txt" in json.dumps(git)
    assert "Hello from a page" in json.dumps(fetched)
    assert wrong == "tool_error"


async def test_servers_from_npm(tree: Tree, from_npm: Path, tmp_path: Path) -> None:
    """The file system server keeps to its folder, and `everything` sends all that there is."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.txt").write_text("inside")
    toml = program("files", "node", str(from_npm / "server-filesystem/dist/index.js"), str(folder))
    toml += program("every", "node", str(from_npm / "server-everything/dist/index.js"), "stdio")
    script = calling(
        ("files__read_text_file", {"path": str(folder / "a.txt")}),
        ("files__read_text_file", {"path": "/etc/passwd"}),
        ("every__get-sum", {"a": 2, "b": 3}),
        ("every__get-structured-content", {"location": "Chicago"}),
    )
    async with live(tree(script, toml=toml, tools=[]), environ=dict(os.environ), watch=False) as gateway:
        inside, outside, added, weather = await results(gateway)
        states = [each["state"] for each in (await gateway.get("/v1/status"))["mcp_servers"]]
    assert "inside" in json.dumps(inside)
    assert outside == "tool_error"
    assert "5" in json.dumps(added)
    assert set(weather) == {"temperature", "conditions", "humidity"}
    assert states == ["ready", "ready"]


@pytest.mark.parametrize(("mode", "path", "transport"), [("streamableHttp", "mcp", "streamable_http"), ("sse",) * 3])
async def test_a_server_from_npm_over_http(from_npm: Path, mode: str, path: str, transport: str) -> None:
    """The same server over streamable HTTP and over SSE: texts, images, progress."""
    async with everything(from_npm, mode) as port:
        spec = remote(f"http://127.0.0.1:{port}/{path}", transport=transport, connection_timeout="30s")
        async with ready(spec) as upstream:
            assert await said(upstream, "echo", message="hello") == "Echo: hello"
            tools: dict[str, Any] = {each.listed.name: each for each in served(upstream)}
            image = await tools["get-tiny-image"].call({}, Listener().context(60))
            assert [each.media_type for each in image.content if isinstance(each, Image)] == ["image/png"]
            listener = Listener()
            args = {"duration": 1, "steps": 2}
            await tools["trigger-long-running-operation"].call(args, listener.context(60))
            assert ("progress", "2 of 2\n") in listener.output


@pytest.mark.parametrize(
    ("mode", "path", "transport"), [("stdio",) * 3, ("streamableHttp", "mcp", "streamable_http"), ("sse",) * 3]
)
async def test_a_server_from_npm_that_asks(tree: Tree, from_npm: Path, mode: str, path: str, transport: str) -> None:
    """A form with every kind of field gets its defaults, and addresses are visited before a call and during it."""
    visit = {"url": "https://example.com/pay", "errorPath": True}
    script = calling(("every__trigger-elicitation-request", {}), ("every__trigger-url-elicitation", visit))
    async with contextlib.AsyncExitStack() as stack:
        toml = program("every", "node", str(from_npm / "server-everything/dist/index.js"), "stdio")
        if mode != "stdio":
            port = await stack.enter_async_context(everything(from_npm, mode))
            toml = f'[egress]\nallow = ["127.0.0.1"]\n[mcp.servers.every]\nurl = "http://127.0.0.1:{port}/{path}"\n'
            toml += f'transport = "{transport}"\nconnection_timeout = "60s"\n'
        gateway = await stack.enter_async_context(
            live(tree(script, toml=toml, tools=[]), environ=dict(os.environ), watch=False)
        )
        caller = Caller(gateway)
        run = await caller.begin()
        (form,) = await asked(caller, run)
        await reply(caller, form, {"action": "accept", "content": {"name": "Ada", "email": "ada@example.com"}})
        visited = []
        for _ in range(2):
            (wait,) = await asked(caller, run)
            visited.append(wait["input"]["url"])
            await reply(caller, wait, {"action": "accept"})
        told = await caller.told(run)
    texts = ["".join(part["text"] for part in each["result"]["content"]) for each in of(told, "tool.completed")]
    assert "Name: Ada" in texts[0]
    assert '"titledSingleSelectEnum": "hero-1"' in texts[0]
    assert visited == ["https://modelcontextprotocol.io", "https://example.com/pay"]
    assert "User completed the URL elicitation flow" in texts[1]


@contextlib.asynccontextmanager
async def everything(folder: Path, mode: str) -> AsyncIterator[int]:
    """The server `everything` on a free port of this machine."""
    port = _free()
    process = await asyncio.create_subprocess_exec(
        "node", str(folder / "server-everything/dist/index.js"), mode, env={**os.environ, "PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


def _free() -> int:
    """A port that nobody has, and that the system gives to nobody by itself: it is still free when the server comes."""
    for port in random.sample(range(20_000, 30_000), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")
