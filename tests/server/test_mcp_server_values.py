"""MCP servers through the API: what is refused, what is sent, what is tried, and what never comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.testing.harness import live
from headgate.testing.mcp_http import http_server
from tests.conftest import Tree
from tests.mcp.guarded import guarded
from tests.server.mcp_servers import ITEMS, LOOPBACK, OAUTH, PATH, QUICK, boss_of, program, remote
from tests.server.native import Caller

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
        for field in ("name", "transport", "enabled"):
            assert await boss.code("PUT", item, {field: None}) == (422, "invalid_request")
        flip = {"transport": "streamable_http", "command": None, "args": None}
        assert await boss.code("PUT", item, {**flip, "url": "http://127.0.0.1:2/mcp"}) == (422, "invalid_document")
        assert await boss.ask("GET", item) == made
        flipped = await boss.ask("PUT", item, {**flip, "url": url})
        assert (flipped["transport"], flipped["command"], flipped["connected"]) == ("streamable_http", None, False)


async def test_trying(tree: Tree, closed_port: int) -> None:
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
        closed = f"http://127.0.0.1:{closed_port}/mcp"
        assert await tried(remote(closed)) == (False, "connection_error")
        assert await tried(remote(server.url + "/none", **right)) == (False, "connection_error")
        assert await tried(remote(server.url)) == (False, "auth_error")
        assert await tried(remote(server.url, credentials={"bearer_token": "secret"})) == (False, "auth_error")
        assert await tried(remote("http://127.0.0.2:9/mcp")) == (False, "config_error")
        assert await tried({**program(), "command": "there-is-no-such-program"}) == (False, "connection_error")
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
