"""Servers over stdio: both eras, what the program gets, how it dies, and how it is ended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from headgate.mcp.asking import Asking
from headgate.mcp.naming import offers
from headgate.mcp.stdio import Program, spoken_to
from headgate.testing.mcp_stdio_tools import TOOLS
from tests.mcp.servers import FAKE, descriptors, local, opened, ready, refused, said
from tests.processes import alive, children
from tests.waiting import until


@pytest.mark.parametrize(
    ("flags", "version"),
    [(["--era", "both"], "2026-07-28"), (["--era", "modern"], "2026-07-28"), (["--era", "legacy"], "2025-11-25"),
     (["--era", "legacy", "--strict"], "2025-11-25")],
)  # fmt: skip
async def test_both_eras(flags: list[str], version: str) -> None:
    """The newest protocol that the server knows is spoken, also with one that ends at a word that it does not know."""
    async with ready(local(*flags)) as upstream:
        assert (upstream.health.state, upstream.health.protocol) == ("ready", version)
        assert await said(upstream, "echo", text="hello") == "hello"
        assert await said(upstream, "add", a=1, b=2) == {"sum": 3}


async def test_pages_are_all_read() -> None:
    """A list of several pages is read to its end."""
    async with ready(local("--tools", "250", "--pages", "60")) as upstream:
        assert upstream.health.tools == 250 + len(TOOLS)


async def test_tools_that_cannot_be_used_are_left_out() -> None:
    """A tool with a schema that is none is skipped and named, and hidden characters are stripped from the others."""
    async with ready(local("--bad")) as upstream:
        assert {"broken", "wrong"}.isdisjoint(upstream.listing.tools)
        assert [each.partition(":")[0] for each in upstream.health.problems] == [
            "tool 'broken' is left out", "tool 'wrong' is left out",
        ]  # fmt: skip
        assert upstream.listing.tools["hidden"].description == "Visible."


@pytest.mark.parametrize("era", ["both", "legacy"])
async def test_a_changed_list_is_read_again(era: str) -> None:
    """The server says that its list changed, by the stream of changes or by a notification."""
    heard: list[int] = []
    async with ready(local("--era", era), changed=lambda: heard.append(1)) as upstream:
        await said(upstream, "grow", name="fresh")
        await until(lambda: "fresh" in upstream.listing.tools)
        await said(upstream, "shrink", name="echo")
        await until(lambda: "echo" not in upstream.listing.tools)
        assert len(heard) == 3


async def test_the_environment_of_the_program() -> None:
    """It has its own variables and the few that every program needs, and nothing else of the gateway's."""
    os.environ["GATEWAY_SECRET"] = "not-for-children"
    try:
        async with ready(local(env={"OWN": "x"})) as upstream:
            names = set((await said(upstream, "env")).split())
    finally:
        del os.environ["GATEWAY_SECRET"]
    assert "OWN" in names
    assert "PATH" in names
    assert "GATEWAY_SECRET" not in names
    assert names <= {"OWN", "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LANGUAGE", "TZ", "TMPDIR"} | {
        name for name in names if name.startswith(("LC_", "__"))
    }


async def test_a_dead_server_is_started_again_and_the_next_call_works() -> None:
    """The call that killed it fails, and one that comes meanwhile waits for the next process."""
    async with ready(local()) as upstream:
        first = await said(upstream, "pid")
        error = await refused(upstream, "die")
        assert (error.code, error.retryable) == ("connection_error", True)
        assert await said(upstream, "pid") != first
        assert (upstream.health.restarts, upstream.health.state) == (1, "ready")


async def test_a_killed_server_loses_no_repeatable_call() -> None:
    """A call that may be repeated is made again on the next process when its own was killed under it."""
    async with ready(local()) as upstream:
        for _ in range(3):
            pid = upstream.health.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            assert await said(upstream, "echo", text="still here") == "still here"
        assert upstream.health.restarts == 3


async def test_a_call_without_a_server_ends_in_time() -> None:
    """A server that never comes makes a call fail within its time, with the reason."""
    async with opened(local("--silent", connection_timeout="200ms")) as upstream:
        await until(lambda: upstream.health.error)
        error = await refused(upstream, "echo", 1.0, text="x")
        assert error.code == "tool_timeout"
        assert "did not answer within 0.2 s" in error.message


async def test_a_program_that_does_not_exist() -> None:
    """It is told at once, as the connection error that it is for clients of the admin API."""
    spec = local().model_copy(update={"command": "no-such-program"})
    async with opened(spec) as upstream:
        fault = await upstream.warm(10)
        assert fault is not None
        assert (fault.code, upstream.health.state) == ("connection_error", "down")
        assert not fault.retryable
        assert "no-such-program" in fault.message


async def test_cancelling_a_call_cancels_it_on_the_server() -> None:
    """The server hears of it, and serves the next call."""
    async with ready(local()) as upstream:
        begun = asyncio.Event()
        asking = Asking(asyncio.get_running_loop().time() + 60, progress=lambda *_told: begun.set())
        call = asyncio.create_task(upstream.call("sleep", {"seconds": 30}, asking))
        async with asyncio.timeout(60):
            await begun.wait()
            call.cancel()
            await asyncio.wait([call])
            assert call.cancelled()
            while await said(upstream, "cancelled") != "1":  # noqa: ASYNC110 -- it is another process
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("flags", [[], ["--stubborn"], ["--child"], ["--stubborn", "--child"]], ids=" ".join)
async def test_closing_ends_the_whole_group(flags: list[str], tmp_path: Path) -> None:
    """Nothing of a server outlives it: not one that ignores the end of its input and SIGTERM, and no child of it."""
    pids = tmp_path / "pids"
    async with ready(local(*flags, "--pids", str(pids))) as upstream:
        assert await said(upstream, "echo", text="x") == "x"
        started = [int(line) for line in pids.read_text().split()]
        assert all(map(alive, started))
    assert not any(map(alive, started))


async def test_a_start_that_is_broken_off(tmp_path: Path) -> None:
    """Nothing is left of a program whose start was cancelled when it was already there."""
    pids, before = tmp_path / "pids", children()
    argv = [sys.executable, FAKE, "--child", "--pids", str(pids)]

    async def start() -> None:
        async with spoken_to(Program(argv, str(tmp_path), dict(os.environ))):
            raise AssertionError("it was started before it could be cancelled")

    task = asyncio.create_task(start())
    while children() <= before:  # noqa: ASYNC110 -- the turn of the loop in which it begins
        await asyncio.sleep(0)
    while not pids.exists() or not pids.read_text().endswith("\n"):  # the loop stands still meanwhile
        time.sleep(0.01)  # noqa: ASYNC251
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))


async def test_servers_come_and_go_without_a_trace() -> None:
    """Opening and closing leaves no descriptor and no task behind."""
    async with ready(local()):
        pass
    before, tasks = descriptors(), len(asyncio.all_tasks())
    for _ in range(3):
        async with ready(local()) as upstream:
            await said(upstream, "echo", text="x")
    await until(lambda: descriptors() <= before and len(asyncio.all_tasks()) <= tasks)


async def test_questions_of_a_server_are_declined() -> None:
    """A server that asks for input during a call is told that nobody answers."""
    async with ready(local()) as upstream:
        assert await said(upstream, "ask") == '"decline"'


async def test_a_result_of_many_parts() -> None:
    """Texts, images, links and resources are all there."""
    async with ready(local()) as upstream:
        assert await said(upstream, "parts") == (
            "one\ntwo\n[resource link notes: memo://notes (text/plain)]\n[resource memo://a]\ninside\n"
            "[resource memo://b.bin: application/octet-stream, 3 bytes]"
        )


async def test_failures_in_words_and_of_the_protocol() -> None:
    """A tool that fails is told as it says, a refusal of the server too."""
    async with ready(local()) as upstream:
        assert (await said(upstream, "fail", text="no such file")) == {
            "error": {"code": "tool_error", "message": "no such file"}
        }
        error = await refused(upstream, "refuse")
        assert (error.code, error.message) == ("tool_error", "the server refused the call: not today (-32000)")


async def test_allow_and_deny() -> None:
    """Globs over the server's own names decide what is offered."""
    async with ready(local(allow=["e*", "add"], deny=["env"])) as upstream:
        assert [name for name in upstream.listing.tools if offers(upstream.spec, name)] == ["echo", "add"]


async def test_a_message_larger_than_a_pipe() -> None:
    """A result of several megabytes arrives whole."""
    async with ready(local()) as upstream:
        assert len(await said(upstream, "flood", bytes=3_000_000)) == 3_000_000
