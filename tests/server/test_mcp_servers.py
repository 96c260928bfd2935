"""MCP servers through the API: their whole life beside a running gateway, and after a restart of it."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from headgate.testing.harness import KEY, Live, live
from headgate.testing.mcp_http import HttpServer, http_server, sent
from tests import workshop
from tests.conftest import Tree
from tests.mcp.servers import FAKE, table
from tests.server.native import Caller, settled
from tests.waiting import until

PATH = "/v1/admin/mcp-servers"
FIELDS = {
    "id", "name", "transport", "command", "args", "url", "header_keys", "enabled", "credential_keys", "has_env",
    "auth_type", "tool_count", "connected", "created_at", "updated_at",
}  # fmt: skip
LOOPBACK = '[egress]\nallow = ["127.0.0.1"]\n'
QUICK = '[mcp]\nconnection_timeout = "1s"\n'
ECHO = "- {text: Asking, call: fs__echo, args: {text: hello}}\n- {text: Done}\n"


def boss_of(gateway: Live) -> Caller:
    """The harness's key, which may do everything."""
    return Caller(gateway, KEY)


def program(name: str = "fs", *flags: str, **more: Any) -> dict[str, Any]:
    """The body of a server that is the fake over stdio."""
    return {"name": name, "transport": "stdio", "command": sys.executable, "args": [FAKE, *flags], **more}


def remote(url: str, name: str = "web", **more: Any) -> dict[str, Any]:
    """The body of a server at a URL."""
    return {"name": name, "transport": "streamable_http", "url": url, **more}


async def health(boss: Caller, name: str = "fs") -> dict[str, Any] | None:
    """What the status says of a server."""
    found = (await boss.ask("GET", "/v1/status"))["mcp_servers"]
    return next((dict(each) for each in found if each["name"] == name), None)


async def pid_of(boss: Caller, name: str = "fs") -> int:
    """The process of a server."""
    found = await health(boss, name)
    assert found is not None
    return int(found["pid"])


def alive(pid: int) -> bool:
    """Whether the process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def echoed(boss: Caller) -> list[str]:
    """How the tool calls of one run of the agent ended."""
    run = await boss.begin()
    await settled(boss.live)
    events = await boss.told(run)
    return [each.data["outcome"] for each in events if each.event == "tool.completed"]


async def test_the_first_server_of_a_gateway(tree: Tree) -> None:
    """It works without a restart: the agent calls its tool right after it was added; and after a restart."""
    root = tree(ECHO)
    async with live(root, watch=False) as gateway:
        boss = boss_of(gateway)
        assert await boss.ask("GET", PATH) == []
        made = await boss.ask("POST", PATH, program(env={"TOKEN": "a-secret-of-the-program"}))
        assert set(made) == FIELDS
        assert made == {
            "id": made["id"], "name": "fs", "transport": "stdio", "command": sys.executable, "args": [FAKE],
            "url": None, "header_keys": [], "enabled": True, "credential_keys": [], "has_env": True,
            "auth_type": "none", "tool_count": made["tool_count"], "connected": True,
            "created_at": made["created_at"], "updated_at": None,
        }  # fmt: skip
        assert made["tool_count"] > 0
        assert await echoed(boss) == ["ok"]
        assert await boss.ask("GET", PATH) == [made]
        assert await boss.ask("GET", f"{PATH}/{made['id']}") == await boss.ask("GET", f"{PATH}/fs") == made
        tools = await boss.ask("GET", f"{PATH}/{made['id']}/tools")
        echo = next(each for each in tools if each["original_name"] == "echo")
        assert (echo["name"], echo["server_name"]) == ("fs__echo", "fs")
        assert echo["input_schema"]["type"] == "object"
        documents = (await boss.ask("GET", "/v1/status"))["overlay"]["documents"]
        assert [(each["kind"], each["name"], each["updated_by"]) for each in documents] == [
            ("mcp.servers", "fs", "tester")
        ]
    async with live(root, watch=False) as gateway:
        again = await boss_of(gateway).ask("GET", f"{PATH}/{made['id']}")
        assert again == made
        assert await echoed(boss_of(gateway)) == ["ok"]


async def test_deleting(tree: Tree) -> None:
    """The tools are withdrawn and the process has ended when the answer comes, though a run still has the server."""
    async with live(tree("- {call: wait, args: {name: door}}\n" + ECHO), watch=False) as gateway:
        boss = boss_of(gateway)
        made = await boss.ask("POST", PATH, program())
        pid, run = await pid_of(boss), await boss.begin()
        await until(lambda: "door" in workshop.entered)
        assert await boss.ask("DELETE", f"{PATH}/{made['id']}") == {"deleted": True}
        assert not alive(pid)
        assert await health(boss) is None
        assert not [each for each in await boss.ask("GET", "/v1/tools") if each["server"] == "fs"]
        workshop.gate("door").set()
        await settled(gateway)
        results = [each.data["outcome"] for each in await boss.told(run) if each.event == "tool.completed"]
        assert results == ["ok", "error"]
        for method, path, body in ITEMS:
            assert await boss.code(method, f"{PATH}/{made['id']}{path}", body) == (404, "mcp_server_not_found")


ITEMS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PUT", "", {"enabled": False}),
    ("DELETE", "", None),
    ("POST", "/test", None),
    ("POST", "/refresh", None),
    ("GET", "/tools", None),
]
