"""MCP servers through the API: their whole life beside a running gateway, and after a restart of it."""

from __future__ import annotations

import sys

from headgate.testing.harness import agent_md, live
from headgate.testing.mcp_http import http_server
from tests import workshop
from tests.conftest import Tree
from tests.mcp.servers import FAKE, table
from tests.server.mcp_servers import (
    ECHO,
    FIELDS,
    ITEMS,
    LOOPBACK,
    PATH,
    alive,
    boss_of,
    echoed,
    health,
    pid_of,
    program,
    remote,
)
from tests.server.native import settled
from tests.waiting import until


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
            "created_at": made["created_at"], "updated_at": made["updated_at"],
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


async def test_changing(tree: Tree) -> None:
    """Disabling disconnects, enabling connects again, a new name leaves nothing of the old one; the id stays."""
    async with live(tree(ECHO), watch=False) as gateway:
        boss = boss_of(gateway)
        made = await boss.ask("POST", PATH, program(env={"A": "first-value"}))
        item, pid = f"{PATH}/{made['id']}", await pid_of(boss)
        off = await boss.ask("PUT", item, {"enabled": False})
        assert (off["enabled"], off["connected"], off["tool_count"], off["has_env"]) == (False, False, 0, True)
        assert not alive(pid)
        assert await boss.ask("GET", f"{item}/tools") == []
        assert await boss.code("POST", f"{item}/refresh") == (409, "mcp_server_disabled")
        assert (await boss.ask("POST", f"{item}/test"))["success"] is True
        assert (await boss.ask("PUT", item, {"enabled": True}))["connected"] is True
        pid = await pid_of(boss)
        renamed = await boss.ask("PUT", item, {"name": "disk", "env": {}})
        assert (renamed["id"], renamed["name"], renamed["has_env"]) == (made["id"], "disk", False)
        assert (renamed["created_at"], renamed["args"]) == (made["created_at"], [FAKE])
        assert renamed["updated_at"] > made["created_at"]
        assert not alive(pid)
        assert [each["name"] for each in await boss.ask("GET", PATH)] == ["disk"]
        assert {each["server"] for each in await boss.ask("GET", "/v1/tools")} == {None, "disk"}
        await boss.ask("POST", PATH, program("other", enabled=False))
        assert await boss.code("PUT", item, {"name": "other"}) == (409, "mcp_server_exists")
    async with live(gateway.root, watch=False) as gateway:
        found = await boss_of(gateway).ask("GET", item)
        assert (found["name"], found["created_at"], found["connected"]) == ("disk", made["created_at"], True)


async def test_refreshing(tree: Tree) -> None:
    """It connects anew and lists again; a server that is not there is an error with a code, and comes back later."""
    async with http_server() as server, live(tree(toml=LOOPBACK), watch=False) as gateway:
        boss = boss_of(gateway)
        made = await boss.ask("POST", PATH, remote(server.url))
        item = f"{PATH}/{made['id']}"
        assert (made["tool_count"], made["args"], made["url"]) == (3, None, server.url)
        await server.stop()
        assert await boss.code("POST", f"{item}/refresh") == (502, "connection_error")
        assert (await boss.ask("GET", item))["connected"] is False
        await server.start()
        server.tools.pop("ask")
        assert (await boss.ask("POST", f"{item}/refresh"))["tool_count"] == 2
        names = [each["name"] for each in await boss.ask("GET", "/v1/tools") if each["server"] == "web"]
        assert names == ["web__echo", "web__sleep"]
        assert await boss.ask("POST", f"{item}/refresh") == await boss.ask("GET", item)


async def test_refreshing_a_program(tree: Tree) -> None:
    """The program is another one afterwards, and the one before has ended."""
    async with live(tree(ECHO), watch=False) as gateway:
        boss = boss_of(gateway)
        await boss.ask("POST", PATH, program())
        before = await pid_of(boss)
        assert (await boss.ask("POST", f"{PATH}/fs/refresh"))["connected"] is True
        assert await pid_of(boss) != before
        assert not alive(before)
        assert await echoed(boss) == ["ok"]


async def test_servers_of_the_tree(tree: Tree) -> None:
    """They are listed and tried like the others, and changed where they are declared."""
    async with live(tree(toml=table("fs")), watch=False) as gateway:
        boss = boss_of(gateway)
        (found,) = await boss.ask("GET", PATH)
        assert (set(found), found["name"], found["created_at"]) == (FIELDS, "fs", None)
        item = f"{PATH}/{found['id']}"
        assert await boss.code("PUT", item, {"enabled": False}) == (409, "declared_in_tree")
        assert await boss.code("DELETE", item) == (409, "declared_in_tree")
        assert "[mcp.servers.fs]" in (await boss.send("DELETE", item)).json()["detail"]
        assert await boss.code("POST", PATH, program()) == (409, "mcp_server_exists")
        assert (await boss.ask("POST", f"{item}/test"))["tool_count"] == found["tool_count"]
        assert (await boss.ask("POST", f"{item}/refresh"))["connected"] is True
        await boss.ask("POST", PATH, program("mine"))
        assert await boss.code("POST", PATH, program("mine")) == (409, "mcp_server_exists")
        assert [each["name"] for each in await boss.ask("GET", PATH)] == ["fs", "mine"]


async def test_a_call_in_progress(tree: Tree) -> None:
    """It ends with the server that it is a call of, long before its own time is up."""
    script = "- {text: Asking, call: fs__sleep, args: {seconds: 25}}\n- {text: Done}\n"
    async with live(tree(script, toml=table("idle")), watch=False) as gateway:
        boss = boss_of(gateway)
        await boss.ask("POST", PATH, program())
        run = await boss.begin()
        async with boss.follow(run) as events:
            while (await anext(events)).event != "tool.started":
                pass
            assert await boss.ask("DELETE", f"{PATH}/fs") == {"deleted": True}
            while (found := await anext(events)).event != "tool.completed":
                pass
        assert found.data["result"]["error"]["code"] in ("connection_error", "cancelled")
        assert (await health(boss, "idle") or {})["restarts"] == 0


async def test_what_the_tree_needs(tree: Tree) -> None:
    """A server that an agent of the tree names is not removed from under it."""
    async with live(tree(), watch=False) as gateway:
        boss = boss_of(gateway)
        made = await boss.ask("POST", PATH, program())
        agent = agent_md(model="default/auto", mcp_servers=["fs"])
        gateway.edit("agents/named.md", agent)
        assert (await gateway.reload())["status"] == "applied"
        assert await boss.code("DELETE", f"{PATH}/{made['id']}") == (409, "mcp_server_in_use")
        assert (await boss.ask("GET", f"{PATH}/fs"))["connected"] is True


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
        results = [each.data["result"]["status"] for each in await boss.told(run) if each.event == "tool.completed"]
        assert results == ["ok", "denied"]
        for method, path, body in ITEMS:
            assert await boss.code(method, f"{PATH}/{made['id']}{path}", body) == (404, "mcp_server_not_found")
