"""MCP servers through the API: their whole life beside a running gateway, and after a restart of it."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest

from headgate.testing.harness import KEY, Live, agent_md, live
from headgate.testing.mcp_http import http_server
from tests import workshop
from tests.conftest import Tree
from tests.mcp.guarded import guarded
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


OAUTH: dict[str, Any] = {
    "name": "own",
    "transport": "streamable_http",
    "url": "http://127.0.0.1:9/mcp",
    "credentials": {
        "auth_type": "oauth2_client_credentials",
        "token_url": "http://127.0.0.1:9/token",
        "client_id": "me",
        "client_secret": "secret-of-a-client",
    },
}


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
    return [each.data["result"]["status"] for each in events if each.event == "tool.completed"]


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


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": "x", "transport": "stdio"}, "command"),
    ({"name": "x", "transport": "streamable_http"}, "url"),
    ({"name": "x", "transport": "stdio", "command": "true", "url": "http://127.0.0.1/secret-path"}, "url"),
    ({"name": "x", "transport": "streamable_http", "command": "secret-command"}, "url"),
    (remote("http://127.0.0.1/mcp", command="secret-command"), "url"),
    (remote("no-secret-url"), "url"),
    (remote("http://127.0.0.1/mcp", env={"A": "secret-env"}), "env"),
    (program(headers={"A": "secret-header"}), "headers"),
    (remote("http://127.0.0.1/mcp", headers={"A": "secret\nheader"}), "A"),
    (remote("http://127.0.0.1/mcp", headers={"A": "${env:secret}"}), "references"),
    (remote("http://127.0.0.1/mcp", credentials={"auth_type": "secret-type"}), "auth_type"),
    (remote("http://127.0.0.1/mcp", credentials={"auth_type": "none", "token": "secret"}), "token"),
    (remote("http://127.0.0.1/mcp", credentials={"auth_type": "oauth2_client_credentials"}), "token_url"),
    (remote("http://127.0.0.1/mcp", credentials={"auth_type": "google_service_account"}), "service_account_json"),
    (
        remote("http://127.0.0.1/mcp", credentials={"auth_type": "google_service_account", "scopes": ["a"],
               "service_account_json": {"private_key": "secret-pem"}}), "service_account",
    ),
    (remote("http://127.0.0.1/mcp", credentials={"bearer_token": ["secret"]}), "bearer_token"),
    (
        remote("http://127.0.0.1/mcp", credentials={"bearer_token": "s"}, headers={"authorization": "secret-token"}),
        "uthorization",
    ),
    (
        remote("http://127.0.0.1/mcp", credentials={"X-A": "secret-a"}, headers={"x-a": "secret-b"}), "X-A",
    ),
    ({**OAUTH, "credentials": {**OAUTH["credentials"], "scopes": "secret-scope"}}, "scopes"),
    ({"name": "Bad", "transport": "stdio", "command": "true"}, "pattern"),
    ({"name": "a__b", "transport": "stdio", "command": "true"}, "pattern"),
    ({"name": "x", "transport": "stdio", "command": "true", "secret": 1}, "xtra"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "named"), WRONG)
async def test_what_is_not_in_order(tree: Tree, body: dict[str, Any], named: str) -> None:
    """It is refused with the field, and without what it says; nothing is kept."""
    async with live(tree(), watch=False) as gateway:
        boss = boss_of(gateway)
        answer = await boss.send("POST", PATH, body)
        assert answer.status_code == 422, answer.text
        assert named in answer.text
        values = {text for text in ("secret-", "secret\\n") if text in answer.text}
        assert not values, answer.text
        assert await boss.ask("GET", PATH) == []


async def test_the_whole_is_checked(tree: Tree) -> None:
    """A change is judged with what stays: another transport, a URL for a program, what the policy forbids."""
    toml = QUICK + '[mcp.policy]\nurls = ["http://127.0.0.1:1"]\n' + LOOPBACK
    async with live(tree(toml=toml), watch=False) as gateway:
        boss = boss_of(gateway)
        made = await boss.ask("POST", PATH, program())
        item, url = f"{PATH}/{made['id']}", "http://127.0.0.1:1/mcp"
        for body in ({"transport": "streamable_http"}, {"url": url}, {"command": None}, {"headers": {"A": "b"}}):
            assert await boss.code("PUT", item, body) == (422, "invalid_document")
        flip = {"transport": "streamable_http", "command": None, "args": None}
        assert await boss.code("PUT", item, {**flip, "url": "http://127.0.0.1:2/mcp"}) == (422, "invalid_document")
        assert await boss.ask("GET", item) == made
        flipped = await boss.ask("PUT", item, {**flip, "url": url})
        assert (flipped["transport"], flipped["command"], flipped["connected"]) == ("streamable_http", None, False)


async def test_trying(tree: Tree, unused_tcp_port: int) -> None:
    """A trial says what is wrong in one of four words, whether the server is enabled or not."""
    async with http_server(token="right") as server, guarded() as token, live(tree(toml=QUICK + LOOPBACK)) as gateway:
        boss = boss_of(gateway)

        async def tried(body: dict[str, Any]) -> tuple[bool, str | None]:
            made = await boss.ask("POST", PATH, {"enabled": False, **body})
            found = await boss.ask("POST", f"{PATH}/{made['id']}/test")
            assert set(found) == {"success", "tool_count", "tools", "error", "error_code"}
            assert bool(found["error"]) is not found["success"]
            assert "secret" not in found["error"] if found["error"] else found["tools"]
            await boss.ask("DELETE", f"{PATH}/{made['id']}")
            return found["success"], found["error_code"]

        right = {"credentials": {"bearer_token": "right"}}
        assert await tried(remote(server.url, **right)) == (True, None)
        assert await tried(program()) == (True, None)
        closed = f"http://127.0.0.1:{unused_tcp_port}/mcp"
        assert await tried(remote(closed)) == (False, "connection_error")
        assert await tried(remote(server.url + "/none", **right)) == (False, "connection_error")
        assert await tried(remote(server.url)) == (False, "auth_error")
        assert await tried(remote(server.url, credentials={"bearer_token": "secret"})) == (False, "auth_error")
        assert await tried(remote("http://127.0.0.2:9/mcp")) == (False, "config_error")
        assert await tried({**program(), "command": "there-is-no-such-program"}) == (False, "config_error")
        assert await tried({**program(), "args": ["-c", "pass"]}) == (False, "connection_error")
        assert await tried(program("fs", "--silent")) == (False, "timeout")
        oauth = {"auth_type": "oauth2_client_credentials", "token_url": token.token_url, "client_id": "me"}
        good = {**oauth, "client_secret": token.secret, "scopes": ["read"], "extra_params": {"audience": "x"}}
        assert await tried(remote(token.mcp_url, credentials=good)) == (True, None)
        assert (token.forms[-1]["scope"], token.forms[-1]["audience"]) == ("read", "x")
        refused = {**oauth, "client_secret": "secret"}
        assert await tried(remote(token.mcp_url, credentials=refused)) == (False, "auth_error")
        assert await boss.ask("GET", PATH) == []


async def test_what_is_sent(tree: Tree) -> None:
    """Headers, tokens and keys arrive; each blob is replaced as a whole, and `{}` clears it."""
    async with http_server() as server, live(tree(toml=LOOPBACK), watch=False) as gateway:
        boss = boss_of(gateway)
        credentials = {"bearer_token": "tok", "api_key": "key", "api_key_header": "X-Key", "X-Team": "web"}
        made = await boss.ask("POST", PATH, remote(server.url, headers={"X-A": "1"}, credentials=credentials))
        assert (made["header_keys"], made["auth_type"]) == (["X-A"], "static_header")
        assert made["credential_keys"] == sorted(credentials)
        last = server.headers[-1]
        assert [last[name] for name in ("authorization", "x-key", "x-team", "x-a")] == ["Bearer tok", "key", "web", "1"]
        item = f"{PATH}/{made['id']}"
        changed = await boss.ask("PUT", item, {"headers": {"X-B": "2"}})
        assert (changed["header_keys"], changed["credential_keys"]) == (["X-B"], sorted(credentials))
        last = server.headers[-1]
        assert ("x-a" in last, last["x-b"], last["x-team"], last["authorization"]) == (False, "2", "web", "Bearer tok")
        cleared = await boss.ask("PUT", item, {"credentials": {}})
        assert (cleared["header_keys"], cleared["credential_keys"], cleared["auth_type"]) == (["X-B"], [], "none")
        last = server.headers[-1]
        assert ("authorization" in last, "x-team" in last, last["x-b"]) == (False, False, "2")
        keyed = await boss.ask("PUT", item, {"credentials": {"auth_type": "static_header", "api_key": "alone"}})
        assert keyed["auth_type"] == "static_header"
        assert server.headers[-1]["x-api-key"] == "alone"


SECRETS = ("secret-of-the-env", "secret-of-the-header", "secret-of-the-token", "secret-of-the-client")


async def test_secrets_stay(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """No answer, no log, no record and no file of the state has them; the audit log says who did what."""
    root = tree(toml=QUICK + LOOPBACK)
    async with http_server() as server, live(root, watch=False) as gateway:
        boss = boss_of(gateway)
        bodies = [
            program(env={"TOKEN": SECRETS[0]}),
            remote(server.url, headers={"X-A": SECRETS[1]}, credentials={"bearer_token": SECRETS[2]}),
            {**OAUTH, "credentials": {**OAUTH["credentials"], "client_secret": SECRETS[3]}},
        ]
        answers = [await boss.send("POST", PATH, body) for body in bodies]
        assert [each.status_code for each in answers] == [200, 200, 200]
        for name in ("fs", "web", "own"):
            answers += [await boss.send(*each) for each in (
                ("GET", f"{PATH}/{name}"), ("POST", f"{PATH}/{name}/test"), ("POST", f"{PATH}/{name}/refresh"),
                ("GET", f"{PATH}/{name}/tools"), ("PUT", f"{PATH}/{name}", {"url": "http://x", "command": "y"}),
            )]  # fmt: skip
        answers += [await boss.send("GET", path) for path in (PATH, "/v1/status", "/v1/admin/diagnostics")]
        records = (await boss.ask("GET", "/v1/audit?limit=100"))["items"]
        told = [each for each in records if each["kind"].startswith("mcp_server.")]
        assert {(each["kind"], each["key"]) for each in told} == {("mcp_server.created", "tester")}
        await boss.ask("DELETE", f"{PATH}/web")
        records = (await boss.ask("GET", "/v1/audit?limit=100"))["items"]
        assert records[0]["kind"] == "admin.request"
        assert records[1]["kind"] == "mcp_server.deleted"
    kept = b"".join(path.read_bytes() for path in (root / ".headgate").rglob("*") if path.is_file())
    logged = capsys.readouterr()
    shown = "".join(each.text for each in answers) + json.dumps(records) + logged.out + logged.err
    assert SECRETS[0][:10] not in shown
    assert not [each for each in SECRETS if each in shown or each.encode() in kept]


async def test_other_keys(tree: Tree) -> None:
    """The scope is `admin:mcp`."""
    keys = '[auth.keys.ops]\nkey = "the-key-of-ops"\nscopes = ["admin:mcp"]\n'
    keys += '[auth.keys.user]\nkey = "the-key-of-a-user"\nscopes = ["chat", "admin:keys"]\n'
    async with live(tree(toml=keys), watch=False) as gateway:
        ops, user = Caller(gateway, "the-key-of-ops"), Caller(gateway, "the-key-of-a-user")
        made = await ops.ask("POST", PATH, program(enabled=False))
        assert await user.code("POST", PATH, program("x")) == (403, "insufficient_scope")
        assert await user.code("GET", PATH) == (403, "insufficient_scope")
        for method, path, body in ITEMS:
            assert await user.code(method, f"{PATH}/{made['id']}{path}", body) == (403, "insufficient_scope")


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


ITEMS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PUT", "", {"enabled": False}),
    ("DELETE", "", None),
    ("POST", "/test", None),
    ("POST", "/refresh", None),
    ("GET", "/tools", None),
]
