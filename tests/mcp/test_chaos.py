"""Servers that are killed again and again under calls, and calls that are broken off: nothing is left of them."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from headgate.mcp.asking import Asking
from headgate.testing.harness import Live, live
from headgate.testing.mcp_http import HttpServer
from tests.conftest import Tree
from tests.mcp.servers import descriptors, local, ready, remote, said, table
from tests.processes import alive
from tests.waiting import until

ROUNDS = 12


async def test_kills_under_load(tmp_path: Path) -> None:
    """Calls that may be repeated all work however often the server is killed; no process is left over."""
    pids = tmp_path / "pids"
    async with ready(local("--child", "--pids", str(pids))) as upstream:
        answers = 0
        done = asyncio.Event()

        async def caller(name: str) -> None:
            nonlocal answers
            while not done.is_set():
                assert await said(upstream, "echo", 60, text=name) == name
                answers += 1

        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(caller(f"caller {number}"))
            for turn in range(ROUNDS):
                before = answers
                await until(lambda: answers > before + 5)  # noqa: B023
                pid = upstream.health.pid
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
                await until(lambda: upstream.health.restarts == turn + 1)  # noqa: B023
            done.set()
        assert upstream.health.state == "ready"
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) == 2 * (ROUNDS + 1)
    assert not any(map(alive, started))


async def test_a_server_over_http_that_comes_and_goes() -> None:
    """The same over HTTP, where the address stays and the server behind it is another one each time."""
    async with HttpServer() as server, ready(remote(server.url)) as upstream:
        for turn in range(5):
            await server.stop()
            call = asyncio.create_task(said(upstream, "echo", 60, text=f"turn {turn}"))
            await server.start()
            assert await call == f"turn {turn}"


async def test_aborted_sessions_leave_nothing(tree: Tree) -> None:
    """A thousand sessions that are broken off in the middle of a call: the same process serves on, and neither
    descriptor nor task is left."""
    script = "- {call: files__sleep, args: {seconds: 30}}\n- {text: done}\n"
    toml = table("files")
    root = tree(script, toml=toml, tools=[], on_disconnect={"cancel_after": "1ms"})
    async with live(root, watch=False) as gateway:
        (before,) = (await gateway.get("/v1/status"))["mcp_servers"]
        await _abort(gateway, 10)
        await gateway.get("/v1/status")  # so that its connection is there both times
        files, tasks = descriptors(), len(asyncio.all_tasks())
        for _ in range(100):
            await _abort(gateway, 10)
        (after,) = (await gateway.get("/v1/status"))["mcp_servers"]
        assert (after["pid"], after["restarts"]) == (before["pid"], 0)
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
        await until(lambda: descriptors() <= files)
    assert not alive(before["pid"])


async def _abort(gateway: Live, many: int) -> None:
    """Begins so many sessions, leaves each when its call is under way, and waits until all runs have ended."""

    async def one() -> None:
        session = await visitors.session()
        session.messages.append({"role": "user", "content": "go"})
        async with session.stream() as events:
            async for event in events:
                if event["type"] == "tool_output_chunk":
                    break

    async with httpx2.AsyncClient(base_url=gateway.url, trust_env=False, timeout=60) as http:
        visitors = replace(gateway, http=http)  # whose connections are all closed behind them
        await asyncio.gather(*(one() for _ in range(many)))
    await until(lambda: not gateway.gateway.edge.host.runs)


async def test_a_server_that_hangs_is_started_anew() -> None:
    """A call that is not answered makes the gateway look whether the server answers at all."""
    async with ready(local(connection_timeout="3s")) as upstream:
        first = upstream.health.pid
        asking = Asking(asyncio.get_running_loop().time() + 1.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(asking.deadline):  # the same moment, as where the gateway makes calls
                await upstream.call("hang", {}, asking)
        assert await said(upstream, "echo", text="awake") == "awake"
        assert upstream.health.pid != first
