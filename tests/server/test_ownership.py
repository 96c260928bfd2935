"""Every native route, walked with the wrong key: what is another's does not exist."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from litestar.handlers import HTTPRouteHandler

from headgate.server.app import ROUTES
from headgate.testing.harness import agent_md, gateway_toml, live, write_tree
from tests.conftest import DEFAULT, TOOLS
from tests.server.native import ASK, CALL, DESK, KEYS, OTHER, ROBOT, Caller

ADMIN = '[auth.keys.admin]\nkey = "the-key-of-an-admin"\nscopes = ["admin:*"]\n'
WEAK = '[auth.keys.weak]\nkey = "a-key-without-rights"\nscopes = []\n'
FILES = {
    "gateway.toml": gateway_toml(f'[functions]\npackages = ["tests.workshop"]\n{ASK}{KEYS}{ADMIN}{WEAK}', top=DEFAULT),
    "script.yaml": CALL,
    "agents/helper.md": agent_md(model="default/auto", tools=["*"]),
    **TOOLS,
}
NATIVE = [
    (method, path)
    for route in ROUTES
    if isinstance(route, HTTPRouteHandler)
    for path in route.paths
    for method in sorted(route.http_methods)
    if path.startswith("/v1/") and "/admin/" not in path and path not in ("/v1/status", "/v1/agents")
]
OBJECTS = [(method, path) for method, path in NATIVE if "{" in path and "{agent_id" not in path]
BODIES: dict[str, Any] = {
    "/v1/approvals/{approval_id:str}": {"decision": "approve"},
    "/v1/approvals/{approval_id:str}/links": {},
    "/v1/waits/{wait_id:str}/answer": {"result": 1},
    "/v1/mcp/{server_name:str}/prompts/{prompt_name:str}": {},
    "/v1/runs": {"message": "x"},
    "/v1/agents/{agent_id:str}/invoke": {"message": "x"},
    "/v1/agents/{agent_id:str}/chat": {"message": "x"},
}


@dataclass(frozen=True)
class Scene:
    """A gateway in which the harness's key owns a session, in it a run, and what that waits for."""

    owner: Caller
    session: str
    run: str
    wait: str

    def path(self, route: str) -> str:
        """The address of the owner's objects."""
        names = {"session_id": self.session, "run_id": self.run, "execution_id": self.run}
        names |= {"wait_id": self.wait, "approval_id": self.wait, "agent_id": "helper"}
        for name, value in names.items():
            route = route.replace(f"{{{name}:str}}", value)
        return route

    def other(self, key: str) -> Caller:
        """The holder of another key."""
        return Caller(self.owner.live, key)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """A gateway for all tests of this module: none of them may change anything."""
    root: Path = write_tree(tmp_path_factory.mktemp("tree"), FILES)
    async with live(root, watch=False) as gateway:
        owner = Caller(gateway)
        session = (await owner.ask("POST", "/v1/sessions", status=201))["session_id"]
        run, (wait,) = await owner.waiting(session_id=session)
        yield Scene(owner, session, run, wait["id"])
        assert await owner.state(run) == "waiting"
        assert (await owner.ask("GET", f"/v1/sessions/{session}"))["state"] == "open"
        assert len((await owner.ask("GET", "/v1/sessions"))["items"]) == 1


def test_all_routes_are_walked() -> None:
    """The table of routes is what the tests below think it is."""
    assert (len(NATIVE), len(OBJECTS)) == (41, 26)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("method", "path"), NATIVE)
async def test_no_key_and_no_scope(scene: Scene, method: str, path: str) -> None:
    """Without a valid key 401, without the scope 403, also where the request would be in order."""
    body, where = BODIES.get(path), scene.path(path)
    http = scene.owner.live.http
    for authorization in ("", "Bearer wrong", "Bearer"):
        headers = {"authorization": authorization} if authorization else {}
        found = await http.request(method, where, headers=headers, json=body)
        assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
    weak = scene.other("a-key-without-rights")
    assert await weak.code(method, where, body) == (403, "insufficient_scope")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("key", [OTHER, DESK, ROBOT])
@pytest.mark.parametrize(("method", "path"), OBJECTS)
async def test_what_is_another_s(scene: Scene, method: str, path: str, key: str) -> None:
    """It is 404 for a key that may do this with its own, and the same as what was never there."""
    caller, body = scene.other(key), BODIES.get(path)
    if key == DESK and ("/approvals/" in path or "/waits/" in path):
        return  # this key answers for everybody
    refused = await caller.code(method, scene.path(path), body)
    if key == OTHER:
        assert (refused[0], refused[1].endswith("_not_found")) == (404, True)
        assert refused == await caller.code(method, path.replace("{", "no_").replace(":str}", ""), body)
    else:
        assert refused[0] in (403, 404)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ["/v1/runs", "/v1/sessions", "/v1/approvals", "/v1/waits", "/v1/executions"])
async def test_lists_hold_one_s_own(scene: Scene, path: str) -> None:
    """Lists of another key are empty, also when they are asked for by name; `admin:runs` sees all."""
    other, admin = scene.other(OTHER), scene.other("the-key-of-an-admin")
    named = {"/v1/sessions": "", "/v1/approvals": "session", "/v1/waits": "session"}.get(path, "session_id")
    names = f"?{named}={scene.session}" if named else ""
    mine, theirs, all_ = [await each.ask("GET", path + names) for each in (scene.owner, other, admin)]
    assert theirs in ([], {"items": [], "next": None})
    assert mine == all_
    assert len(mine if isinstance(mine, list) else mine["items"]) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_an_admin_sees_and_does_not_own(scene: Scene) -> None:
    """Who sees a session of another key can read it, but not speak in it, nor take it along as a fork."""
    admin = scene.other("the-key-of-an-admin")
    path = f"/v1/sessions/{scene.session}"
    assert (await admin.ask("GET", f"{path}/export"))["session"]["principal"] == "tester"
    assert await admin.code("POST", f"{path}/fork") == (403, "not_owner")
    assert await admin.code("POST", "/v1/runs", {"message": "x"}) == (403, "insufficient_scope")
