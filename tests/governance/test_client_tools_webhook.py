"""A policy service about tools that the caller's front end executes: asked once before, and once about the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from headgate.testing.tool_kit import site
from tests.conftest import Tree
from tests.governance.test_client_tools import ARGS, DONE, OK, pick, play, script


@dataclass
class Service:
    """A policy service: it answers one event as it is told, and allows the others."""

    event: str = ""
    answer: dict[str, Any] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        return web.json_response(self.answer if body["event"] == self.event else {"decision": "allow"})


WEBHOOK = """
[egress]
allow = ["127.0.0.1"]
[interceptors.rule]
kind = "webhook"
url = "{url}/policy"
secret = "a-secret-of-sixteen-characters"
on = ["call", "result"]
send = "values"
may_rewrite = true
mode = "{mode}"
"""
OTHER = {"name": "bob"}
DECISIONS: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]], list[Any]]] = {
    "deny a call": ("call", {"decision": "deny"}, [], ["webhook_denied"]),
    "deny a result": ("result", {"decision": "deny"}, [ARGS], ["webhook_denied"]),
    "rewrite a call": ("call", {"decision": "allow", "arguments": OTHER}, [OTHER], [OK]),
    "rewrite a result": ("result", {"decision": "allow", "result": {"n": 1}}, [ARGS], [{"n": 1}]),
    "warn of a call": ("call", {"decision": "warn", "message": "Hm."}, [ARGS], [OK | {"_warnings": ["rule: Hm."]}]),
}


@pytest.mark.parametrize(("mode", "restart"), [("enforce", False), ("enforce", True), ("warn", True), ("audit", False)])
@pytest.mark.parametrize("name", DECISIONS)
async def test_a_policy_service(tree: Tree, name: str, mode: str, restart: bool) -> None:
    """It is asked once about each call and once about its result, and about that with the arguments that it has made
    of the call."""
    event, said, expected, read = DECISIONS[name]
    service = Service(event, said)
    async with site({"/policy": service.handle}) as url:
        root = tree(script(ARGS, 1), toml=WEBHOOK.format(url=url, mode=mode), files=pick())
        found = await play(root, (DONE,), restart=restart)
    if mode == "enforce":
        assert (found.asked, found.read) == (expected, read)
    else:
        assert found.asked == [ARGS]
        assert found.read[0]["done"] == OK["done"]
        assert len(found.decisions) == (mode == "warn")
        assert len(found.read[0].get("_warnings", ())) == (mode == "warn" and name != "warn of a call")
    denied = event == "call" and said["decision"] == "deny"
    assert [each["event"] for each in service.asked] == ["call"] + ["result"] * (not denied)
    if mode == "enforce" and not denied:
        assert service.asked[1]["arguments"] == expected[0]
