"""Query parameters that a native route does not have: refused by name, on every native route and on no other."""

from __future__ import annotations

import pytest

from headgate.server.app import ROUTES
from headgate.testing.harness import live
from tests.conftest import Tree
from tests.server.mcp_servers import boss_of

NATIVE = sorted(
    {
        (method, path)
        for handler in ROUTES
        for path in getattr(handler, "paths", ())
        for method in getattr(handler, "http_methods", ())
        if "scopes" in getattr(handler, "opt", {})
    }
)


async def test_every_native_route(tree: Tree) -> None:
    """A parameter that nobody knows is refused before anything else is done, without what it says."""
    assert len(NATIVE) >= 60
    async with live(tree(), watch=False) as gateway:
        boss = boss_of(gateway)
        for method, path in NATIVE:
            where = path.replace("{", "").replace(":str}", "")
            answer = await boss.send(method, f"{where}?nonsense=secret-value")
            body = answer.json()
            assert (answer.status_code, body["error"]["code"]) == (422, "invalid_request"), (method, path, answer.text)
            assert [each["parameter"] for each in body["errors"]] == ["nonsense"]
            assert "this route takes" in body["detail"]
            assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "/v1/usage?by=key",
            "there is no parameter 'by'; this route takes agent, cursor, format, from, group_by, key,",
        ),
        ("/v1/usage?groupby=key", "there is no parameter 'groupby'; did you mean 'group_by'?"),
        ("/v1/runs?stat=failed&limit=1", "there is no parameter 'stat'; did you mean 'state'?"),
        ("/v1/agents?limit=5", "there is no parameter 'limit'; this route takes none"),
        ("/v1/audit?a=1&b=2&a=3", "there is no parameter 'a'; this route takes cursor, from, key, kind, limit,"),
    ],
)
async def test_what_is_said(tree: Tree, query: str, said: str) -> None:
    """The parameters that there are, and the one that was probably meant."""
    async with live(tree(), watch=False) as gateway:
        answer = await boss_of(gateway).send("GET", query)
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith(said)
        if "&b=" in query:
            assert [each["parameter"] for each in answer.json()["errors"]] == ["a", "b"]


async def test_what_takes_anything(tree: Tree) -> None:
    """Routes of other APIs, health and the API document are for clients that send what they like; a caller without a
    key is told that first."""
    async with live(tree(), watch=False) as gateway:
        for path in ("/api/health", "/health/live", "/health/ready", "/openapi.json"):
            assert (await gateway.http.get(f"{path}?_=123")).status_code == 200
        answer = await gateway.http.post("/api/chat/init?v=2", json={"api_key": gateway.key})
        assert answer.status_code == 200
        assert (await gateway.http.get("/v1/runs?nonsense=1")).status_code == 401


async def test_the_root_of_an_execution(tree: Tree) -> None:
    """Clients of agents-gateway may ask for the executions below one, which are itself alone."""
    async with live(tree(), watch=False) as gateway:
        boss = boss_of(gateway)
        run = await boss.begin()
        await boss.begin()
        assert [each["execution_id"] for each in await boss.ask("GET", f"/v1/executions?root_execution_id={run}")] == [
            run
        ]
        assert await boss.ask("GET", "/v1/executions?root_execution_id=run_none") == []
        assert await boss.ask("GET", f"/v1/executions?root_execution_id={run}&agent_id=other") == []
