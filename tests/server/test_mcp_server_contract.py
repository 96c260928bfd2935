"""The admin API of MCP servers as clients of agents-gateway 0.2 know it: each field, each status, each error code."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from headgate.testing.harness import live
from headgate.testing.mcp_http import http_server
from tests.conftest import Tree
from tests.server.mcp_servers import FIELDS, ITEMS, LOOPBACK, OAUTH, PATH, QUICK, boss_of, program, remote
from tests.server.native import Caller

NULLS: dict[str, Any] = dict.fromkeys(("command", "args", "env", "url", "headers", "credentials"))
"""What clients send that write every field of their model."""
ELSEWHERE = "https://mcp.example.com/mcp"
TYPES: dict[str, tuple[type, ...]] = {
    "id": (str,), "name": (str,), "transport": (str,), "command": (str, type(None)), "args": (list, type(None)),
    "url": (str, type(None)), "header_keys": (list,), "enabled": (bool,), "credential_keys": (list,),
    "has_env": (bool,), "auth_type": (str,), "tool_count": (int,), "connected": (bool,), "created_at": (str,),
    "updated_at": (str, type(None)),
}  # fmt: skip


def in_form(server: dict[str, Any]) -> dict[str, Any]:
    """The server, whose members are those of the contract and of its types."""
    assert set(server) == FIELDS
    wrong = [name for name, kinds in TYPES.items() if not isinstance(server[name], kinds)]
    assert not wrong
    assert datetime.fromisoformat(server["created_at"]).tzinfo is not None
    return server


def account() -> dict[str, str]:
    """The key file of a service account."""
    key = generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {"type": "service_account", "client_email": "me@example.com", "private_key": pem}


async def test_a_whole_life(tree: Tree) -> None:
    """Create, list, get, change, test, refresh, list tools, delete: 200 each, in the forms of the contract."""
    async with live(tree(), watch=False) as gateway:
        boss = boss_of(gateway)
        made = in_form(await boss.ask("POST", PATH, {**NULLS, **program("my-tools_1"), "enabled": True}))
        item = f"{PATH}/{made['id']}"
        assert (made["connected"], made["url"], made["has_env"], made["auth_type"]) == (True, None, False, "none")
        assert [in_form(each) for each in await boss.ask("GET", PATH)] == [made]
        assert in_form(await boss.ask("GET", item)) == made
        changed = in_form(await boss.ask("PUT", item, {"env": {"A_TOKEN": "a-value-of-it"}}))
        assert {name for name in FIELDS if changed[name] != made[name]} == {"has_env", "updated_at"}
        tried = await boss.ask("POST", f"{item}/test")
        assert (tried["success"], tried["error"], tried["error_code"]) == (True, None, None)
        assert tried["tool_count"] == len(tried["tools"]) == changed["tool_count"]
        assert {frozenset(each) for each in tried["tools"]} == {frozenset(("name", "description"))}
        assert "echo" in {each["name"] for each in tried["tools"]}
        assert in_form(await boss.ask("POST", f"{item}/refresh"))["connected"] is True
        tools = await boss.ask("GET", f"{item}/tools")
        assert len(tools) == changed["tool_count"]
        members = ("name", "original_name", "server_name", "description", "input_schema")
        assert {frozenset(each) for each in tools} == {frozenset(members)}
        assert {each["name"] for each in tools} == {f"my-tools_1__{each['original_name']}" for each in tools}
        assert await boss.ask("DELETE", item) == {"deleted": True}
        for method, path, body in ITEMS:
            assert await boss.code(method, f"{item}{path}", body) == (404, "mcp_server_not_found")


AUTH: list[tuple[dict[str, Any] | None, str]] = [
    (None, "none"),
    ({}, "none"),
    ({"auth_type": "none"}, "none"),
    ({"bearer_token": "a-token-of-theirs"}, "static_header"),
    ({"auth_type": "static_header", "api_key": "a-key-of-theirs", "api_key_header": "X-Own"}, "static_header"),
    ({"X-Passed-Through": "a-value-of-theirs"}, "static_header"),
    ({**OAUTH["credentials"], "scopes": ["a"], "extra_params": {"audience": "b"}}, "oauth2_client_credentials"),
    ({"auth_type": "google_service_account", "service_account_json": "object", "scopes": ["a"]},
     "google_service_account"),
    ({"auth_type": "google_service_account", "service_account_json": "text", "scopes": ["a"]},
     "google_service_account"),
]  # fmt: skip


@pytest.mark.parametrize(("credentials", "kind"), AUTH)
async def test_each_type_of_authentication(tree: Tree, credentials: dict[str, Any] | None, kind: str) -> None:
    """It is named, with the names of its members; no value comes back."""
    given = dict(credentials) if credentials is not None else None
    if kind == "google_service_account" and given is not None:
        file = account()
        given["service_account_json"] = file if given["service_account_json"] == "object" else json.dumps(file)
    async with live(tree(toml=QUICK), watch=False) as gateway:
        boss = boss_of(gateway)
        body = remote(ELSEWHERE, headers={"X-Trace": "a-header-of-theirs"}, credentials=given, enabled=False)
        answer = await boss.send("POST", PATH, body)
        made = in_form(answer.json())
        assert (answer.status_code, made["auth_type"]) == (200, kind)
        assert sorted(made["credential_keys"]) == sorted(given or {})
        assert (made["header_keys"], made["url"], made["args"]) == (["X-Trace"], ELSEWHERE, None)
        assert not [word for word in ("of-theirs", "PRIVATE KEY", "secret-of-a-client") if word in answer.text]


async def envelope(boss: Caller, method: str, path: str, body: Any = None) -> tuple[int, str]:
    """Status and code of an error, which has the members that clients read."""
    answer = await boss.send(method, path, body)
    error = answer.json()["error"]
    assert set(error) == {"code", "message"}
    assert error["message"]
    return answer.status_code, error["code"]


async def test_each_error(tree: Tree) -> None:
    """Every refusal is an envelope with a code of its own."""
    async with http_server() as server, live(tree(toml=QUICK + LOOPBACK), watch=False) as gateway:
        boss = boss_of(gateway)
        nobody = Caller(gateway, "the-key-of-nobody")
        await boss.ask("POST", PATH, program("taken"))
        await boss.ask("POST", PATH, program("off", enabled=False))
        await boss.ask("POST", PATH, remote(server.url, "web"))
        item = f"{PATH}/taken"
        assert await envelope(nobody, "GET", PATH) == (401, "invalid_credentials")
        assert await envelope(boss, "POST", PATH, program("taken")) == (409, "mcp_server_exists")
        assert await envelope(boss, "PUT", item, {"name": "off"}) == (409, "mcp_server_exists")
        assert await envelope(boss, "POST", f"{PATH}/off/refresh") == (409, "mcp_server_disabled")
        assert await envelope(boss, "POST", PATH, {"name": "x", "transport": "stdio"}) == (422, "invalid_document")
        assert await envelope(boss, "POST", PATH, {"name": "x"}) == (422, "invalid_request")
        assert await envelope(boss, "POST", PATH, program("x" * 65)) == (422, "invalid_request")
        assert await envelope(boss, "POST", PATH, program("x", transport="websocket")) == (422, "invalid_request")
        assert await envelope(boss, "PUT", item, {"args": "no list"}) == (422, "invalid_request")
        assert await envelope(boss, "GET", f"{PATH}/nobody") == (404, "mcp_server_not_found")
        await server.stop()
        assert await envelope(boss, "POST", f"{PATH}/web/refresh") == (502, "connection_error")
        quiet = program("taken", "--silent")
        await boss.ask("PUT", item, {"args": quiet["args"]})
        assert await envelope(boss, "POST", f"{item}/refresh") == (504, "timeout")
        assert (await boss.ask("POST", PATH, program("x" * 64, enabled=False)))["name"] == "x" * 64


async def test_actors(tree: Tree) -> None:
    """The audit log says who did what to which server."""
    async with live(tree(), watch=False) as gateway:
        boss = boss_of(gateway)
        made = await boss.ask("POST", PATH, program(enabled=False))
        await boss.ask("PUT", f"{PATH}/fs", {"args": ["x"]})
        await boss.ask("DELETE", f"{PATH}/fs")
        for verb in ("created", "updated", "deleted"):
            (record,) = (await boss.ask("GET", f"/v1/audit?kind=mcp_server.{verb}"))["items"]
            assert (record["key"], record["details"]["id"], record["details"]["name"]) == ("tester", made["id"], "fs")
