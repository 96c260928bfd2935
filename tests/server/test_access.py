"""Who may do what: keys, tokens, scopes, hosts and origins."""

from __future__ import annotations

import time

import jwt
import pytest
from litestar.handlers import HTTPRouteHandler

from headgate.server.app import ROUTES
from headgate.testing.harness import KEY, Conversation, agent_md, gateway_toml, live, spoken
from tests.conftest import DEFAULT, Tree
from tests.waiting import until

WEAK = '[auth.keys.weak]\nkey = "a-key-without-rights"\nscopes = []\n'
OTHER = '[auth.keys.guest]\nkey = "the-key-of-a-guest"\nagents = ["other"]\n'
HI = {"messages": [{"role": "user", "content": "hi"}]}
NATIVE = [
    (method, path)
    for route in ROUTES
    if isinstance(route, HTTPRouteHandler)
    for path in route.paths
    for method in route.http_methods
    if path.startswith("/v1/")
]


def test_all_native_routes_are_walked() -> None:
    """The route table is not empty, so the tests below test something."""
    assert ("POST", "/v1/admin/reload") in NATIVE
    assert len(NATIVE) >= 5


@pytest.mark.parametrize(("method", "path"), NATIVE)
async def test_native_routes_want_a_key_and_a_scope(tree: Tree, method: str, path: str) -> None:
    """Without a key 401, with a wrong key 401, with a key that lacks the scope 403: as problems."""
    path = path.replace("{agent_id:str}", "helper")
    async with live(tree(toml=WEAK), watch=False) as gateway:
        keys = (None, "Bearer wrong", f"Basic {KEY}", "Bearer a-key-without-rights")
        found = [
            await gateway.http.request(method, path, headers={"authorization": key} if key else {}) for key in keys
        ]
    assert [each.status_code for each in found] == [401, 401, 401, 403]
    assert {each.headers["content-type"] for each in found} == {"application/problem+json"}
    assert found[0].headers["www-authenticate"] == "Bearer"
    body = found[3].json()
    assert (body["status"], body["title"], body["error"]["code"]) == (403, "Forbidden", "insufficient_scope")
    assert body["error"]["message"] == body["detail"]


async def test_unknown_routes(tree: Tree) -> None:
    """What is not there is told in the dialect of its path."""
    async with live(tree(), watch=False) as gateway:
        native, compatible = await gateway.http.get("/v1/nothing"), await gateway.http.get("/api/nothing")
        options = await gateway.http.request("OPTIONS", "/v1/status")
        head = await gateway.http.head("/api/health")
    assert native.json()["error"] == {"code": "not_found", "message": "Not Found"}
    assert compatible.content == b'{"detail":"Not Found"}'
    assert (options.status_code, options.headers["allow"]) == (405, "GET")
    assert (head.status_code, head.content) == (405, b"")


async def test_the_agent_of_a_session(tree: Tree) -> None:
    """`X-Headgate-Agent` chooses the agent when the session begins, and never again."""
    files = {"agents/other.md": agent_md(model="twin/auto")}
    twin = '[providers.twin]\nkind = "scripted"\nturns = [{text = "I am the other"}]\n'
    async with live(tree(files=files, toml=twin), watch=False) as gateway:
        first, second = await gateway.session(), await gateway.session("other")
        headers = {**first.headers, "x-headgate-agent": "other"}
        crossed = await gateway.http.post("/api/chat", json=HI, headers=headers)
        assert spoken(await second.say("hi")) == "I am the other"
        body = {"api_key": KEY}
        unknown = await gateway.http.post("/api/chat/init", json=body, headers={"x-headgate-agent": "nobody"})
    assert b'"Hello "' in crossed.content
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "there is no agent 'nobody'"})


async def test_an_invisible_agent(tree: Tree) -> None:
    """An agent that a key may not see does not exist for it."""
    async with live(
        tree(files={"agents/other.md": agent_md(model="default/auto")}, toml=OTHER), watch=False
    ) as gateway:
        body = {"api_key": "the-key-of-a-guest"}
        hidden = await gateway.http.post("/api/chat/init", json=body, headers={"x-headgate-agent": "helper"})
        agents = await gateway.http.get("/v1/agents", headers={"authorization": "Bearer the-key-of-a-guest"})
    assert hidden.status_code == 404
    assert [each["id"] for each in agents.json()] == ["other"]


async def test_a_token_survives_a_restart(tree: Tree) -> None:
    """Session and signing secret are on disk: the same token chats on in the next process."""
    root = tree()
    async with live(root, watch=False) as gateway:
        session = await gateway.session()
        await session.say("hi")
    async with live(root, watch=False) as gateway:
        again = Conversation(gateway.http, session.token, session.id, session.messages)
        assert spoken(await again.say("more")) == "Hello there"
        exchanges = await gateway.gateway.edge.host.ledger.conversation(session.id)
    assert [exchange.answer for exchange in exchanges] == ["Hello there", "Hello there"]


async def test_a_renamed_key_owns_nothing(tree: Tree) -> None:
    """A session belongs to the key by name and by secret; under another name it is unknown."""
    root = tree()
    async with live(root, watch=False) as gateway:
        session = await gateway.session()
        toml = gateway_toml('[functions]\npackages = ["tests.workshop"]\n', top=DEFAULT)
        gateway.edit("gateway.toml", toml.replace("auth.keys.tester", "auth.keys.renamed"))
        assert (await gateway.reload())["status"] == "applied"
        answer = await gateway.http.post("/api/chat", json=HI, headers=session.headers)
    assert (answer.status_code, answer.json()) == (401, {"detail": "Unknown session"})


async def test_an_expired_token(tree: Tree) -> None:
    """A token is good for the session's time only."""
    async with live(tree(toml='[auth]\nsession_ttl = "1ms"\n'), watch=False) as gateway:
        session, expired = await gateway.session(), time.time() + 0.001
        await until(lambda: time.time() > expired)
        answer = await gateway.http.post("/api/chat", json=HI, headers=session.headers)
    assert answer.json() == {"detail": "Session expired"}


FORGERIES = [
    ({"session_id": "sess_0", "api_key_hash": "x", "expires_at": 9e9}, "Unknown session"),
    ({"session_id": ["a"], "api_key_hash": "é", "expires_at": "9999999999"}, "Unknown session"),
    ({"session_id": "s", "api_key_hash": "x", "expires_at": "soon"}, "Invalid session payload"),
    ({"session_id": "s", "api_key_hash": "x"}, "Invalid session payload"),
]


@pytest.mark.parametrize(("claims", "detail"), FORGERIES)
async def test_well_signed_nonsense(tree: Tree, claims: dict[str, object], detail: str) -> None:
    """Odd claims under a good signature are refused with the contract's words."""
    secret = "the-signing-secret-of-this-very-test"
    async with live(tree(toml=f'[auth]\nsession_secret = "{secret}"\n'), watch=False) as gateway:
        token = jwt.encode(claims, secret, algorithm="HS256")
        answer = await gateway.http.post("/api/chat", json=HI, headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()) == (401, {"detail": detail})


DOORS = [
    ({"host": "evil.example"}, "host_not_allowed"),
    ({"host": "127.0.0.1.evil.example"}, "host_not_allowed"),
    ({"origin": "http://evil.example"}, "origin_not_allowed"),
    ({"origin": "null"}, "origin_not_allowed"),
    ({"origin": "http://["}, "origin_not_allowed"),
    ({"host": "chat.example", "origin": "https://chat.example"}, None),
    ({"origin": "https://chat.example"}, None),
    ({"origin": "https://shop.example"}, None),
    ({"host": "localhost"}, None),
]


@pytest.mark.parametrize(("headers", "code"), DOORS)
async def test_hosts_and_origins(tree: Tree, headers: dict[str, str], code: str | None) -> None:
    """Only the gateway's own names and the pages that it names may knock, whatever they ask for."""
    toml = '[server]\npublic_url = "https://chat.example"\ncors = {origins = ["https://shop.example"]}\n'
    async with live(tree(toml=toml), watch=False) as gateway:
        answers = [await gateway.http.get(path, headers=headers) for path in ("/health/live", "/nothing")]
    assert [each.status_code for each in answers] == ([200, 404] if code is None else [403, 403])
    if code is not None:
        assert answers[0].json()["error"]["code"] == code


async def test_cors(tree: Tree) -> None:
    """A named origin may ask before it calls, and reads what it gets."""
    async with live(tree(toml='[server]\ncors = {origins = ["https://shop.example"]}\n'), watch=False) as gateway:
        asked = {"origin": "https://shop.example", "access-control-request-method": "POST"}
        preflight = await gateway.http.request("OPTIONS", "/api/chat", headers=asked)
        plain = await gateway.http.get("/api/health", headers={"origin": "https://shop.example"})
    assert preflight.status_code in (200, 204)
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    assert plain.headers["access-control-allow-origin"] == "https://shop.example"
