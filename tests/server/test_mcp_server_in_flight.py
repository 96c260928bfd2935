"""MCP servers that are changed, disabled, renamed, removed or stopped while a call of theirs is under way."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.testing.harness import live
from tests.conftest import Tree
from tests.mcp.servers import table
from tests.processes import alive
from tests.server.mcp_servers import PATH, boss_of, health, pid_of, program
from tests.waiting import until

SLEEP = "- {text: Asking, call: fs__sleep, args: {seconds: SECONDS}}\n- {text: Done}\n"
STOP = ("POST", "/v1/admin/kill-switches", {"kind": "server", "target": "fs", "reason": "it misbehaves"}, 201)
DEEDS = [
    ("PUT", f"{PATH}/fs", {"enabled": False}, 200),
    ("PUT", f"{PATH}/fs", {"name": "disk"}, 200),
    ("DELETE", f"{PATH}/fs", None, 200),
    STOP,
]


@pytest.mark.parametrize("deed", DEEDS, ids=["disable", "rename", "delete", "kill"])
async def test_what_takes_the_server_away(tree: Tree, deed: tuple[str, str, Any, int]) -> None:
    """The call ends long before its own time, and another server is not disturbed."""
    root = tree(SLEEP.replace("SECONDS", "25"), toml=table("idle"))
    async with live(root, watch=False) as gateway:
        boss = boss_of(gateway)
        await boss.ask("POST", PATH, program())
        pid, idle = await pid_of(boss), await pid_of(boss, "idle")
        run = await boss.begin()
        async with boss.follow(run) as events:
            while (await anext(events)).event != "tool.started":
                pass
            method, path, body, status = deed
            await boss.ask(method, path, body, status)
            rest = [event async for event in events]
        codes = [each.data["result"]["error"]["code"] for each in rest if each.event == "tool.completed"]
        assert codes in ([], ["connection_error"], ["cancelled"], ["revoked"])
        assert rest[-1].event in ("run.completed", "run.cancelled", "run.failed")
        if deed is not STOP:
            assert not alive(pid)
        assert ((await pid_of(boss, "idle")), (await health(boss, "idle") or {})["restarts"]) == (idle, 0)


async def test_a_change_lets_the_call_finish(tree: Tree) -> None:
    """The call is answered by the process that it was made of, which ends with the run; new runs have the next."""
    async with live(tree(SLEEP.replace("SECONDS", "1")), watch=False) as gateway:
        boss = boss_of(gateway)
        await boss.ask("POST", PATH, program())
        pid, run = await pid_of(boss), await boss.begin()
        async with boss.follow(run) as events:
            while (await anext(events)).event != "tool.started":
                pass
            changed = await boss.ask("PUT", f"{PATH}/fs", {"env": {"TOKEN": "another-one"}})
            assert (changed["connected"], changed["has_env"]) == (True, True)
            rest = [event async for event in events]
        assert [each.data["result"]["status"] for each in rest if each.event == "tool.completed"] == ["ok"]
        assert await pid_of(boss) != pid
        await until(lambda: not alive(pid))


async def test_a_refresh_during_a_call(tree: Tree) -> None:
    """It ends the connection in use, and so the call; the next one works."""
    async with live(tree(SLEEP.replace("SECONDS", "25")), watch=False) as gateway:
        boss = boss_of(gateway)
        await boss.ask("POST", PATH, program())
        run = await boss.begin()
        async with boss.follow(run) as events:
            while (await anext(events)).event != "tool.started":
                pass
            assert (await boss.ask("POST", f"{PATH}/fs/refresh"))["connected"] is True
            rest = [event async for event in events]
        codes = [each.data["result"]["error"]["code"] for each in rest if each.event == "tool.completed"]
        assert codes == ["connection_error"]
