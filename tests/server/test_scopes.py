"""The closed list of scopes, and a walk over every route with every scope but the right one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from litestar.handlers import HTTPRouteHandler

from headgate.core.scopes import LATER, SCOPES, known
from headgate.server import access, app
from headgate.testing.harness import Live, agent_md, gateway_toml, live, write_tree
from tests.conftest import DEFAULT, TOOLS

GUARDED = [
    (method, path, tuple(route.opt["scopes"]))
    for route in app.ROUTES
    if isinstance(route, HTTPRouteHandler) and "scopes" in route.opt
    for path in route.paths
    for method in sorted(route.http_methods)
]
OPEN = {"/api/health", "/api/chat/init", "/api/chat", "/api/chat/tool-approval", "/api/chat/tool-result"}
OPEN |= {"/health/live", "/health/ready", "/openapi.json", "/links/{token:str}"}
OPEN |= {"/oauth/start/{token:str}", "/oauth/callback"}
"""Routes without a scope: they have credentials of their own, or show nothing. Those of `/oauth` are for browsers of
people, which have no key: a link, a state and a cookie of 256 bits each stand for what the key asked for."""


def listed(scope: str) -> str:
    """The scope of a route as the list has it."""
    return "agents:invoke:AGENT" if scope.startswith("agents:invoke:") else scope


def test_every_route_is_guarded() -> None:
    """Each route that is not known to be open has scopes."""
    paths = {path for route in app.ROUTES if isinstance(route, HTTPRouteHandler) for path in route.paths}
    assert paths - {path for _, path, _ in GUARDED} == OPEN
    assert len(GUARDED) > 40


def test_the_list_is_what_routes_ask_for() -> None:
    """No scope is listed that nothing asks for, and none is asked for that is not listed."""
    asked = {listed(scope) for _, _, scopes in GUARDED for scope in scopes} | {access.ADMIN, access.ANSWER}
    assert asked == set(SCOPES)
    assert not set(LATER) & asked


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ("*", True), ("chat", True), ("admin", True), ("admin:*", True), ("admin:keys", True), ("*:read", True),
        ("agents:invoke", True), ("agents:invoke:x", True), ("agents:invoke:*", True), ("agents:*:x", True),
        ("chta", False), ("admin:key", False), ("admin:keys:x", False), ("agents:invoke:x:y", False), ("chat:x", False),
        ("*:nothing", False),
    ],
)  # fmt: skip
def test_what_is_a_scope(scope: str, found: bool) -> None:
    """Wildcards and shorter scopes are known when they cover something."""
    assert known(scope) is found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    """A gateway with a key for each set of scopes of a route: it has all the others."""
    keys = ""
    for n, wanted in enumerate(dict.fromkeys(scopes for _, _, scopes in GUARDED)):
        rest = [each for each in SCOPES if each not in {listed(scope) for scope in wanted}]
        names = ", ".join(f'"{each.replace("AGENT", "helper")}"' for each in rest)
        keys += f'[auth.keys.k{n}]\nkey = "{_key(wanted)}"\nscopes = [{names}]\n'
    files = {
        "gateway.toml": gateway_toml(f'[functions]\npackages = ["tests.workshop"]\n{keys}', top=DEFAULT),
        "script.yaml": "- {text: hi}\n", "agents/helper.md": agent_md(model="default/auto", tools=["*"]), **TOOLS,
    }  # fmt: skip
    async with live(write_tree(tmp_path_factory.mktemp("tree"), files), watch=False) as opened:
        yield opened


def _key(scopes: tuple[str, ...]) -> str:
    return "key-without-" + "-".join(scopes).replace("{", "").replace("}", "")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("method", "path", "scopes"), GUARDED)
async def test_every_scope_but_the_right_one(gateway: Live, method: str, path: str, scopes: tuple[str, ...]) -> None:
    """All other scopes together do not open a route, whatever object it is about."""
    where = path.replace("{agent_id:str}", "helper").replace(":str}", "}")
    headers = {"authorization": f"Bearer {_key(scopes)}"}
    found = await gateway.http.request(method, where, headers=headers, json={})
    assert (found.status_code, found.json()["error"]["code"]) == (403, "insufficient_scope"), scopes
