"""Secrets of MCP servers that are exchanged while the gateway runs: the next call has the new one, none is cut off."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from headgate.testing.harness import live
from headgate.testing.mcp_http import http_server
from tests.conftest import Tree
from tests.e2e.test_mcp import calling, completed, results, server
from tests.mcp.guarded import Guarded, guarded
from tests.mcp.servers import table
from tests.mcp.test_hostile import BASE
from tests.processes import alive
from tests.server.mcp_servers import LOOPBACK
from tests.waiting import until

TOKEN = """
import os
def call(said):
    args = said["params"].get("arguments") or {}
    while args.get("wait") and not os.path.exists(args["wait"]):
        time.sleep(0.02)
    answer(said, content=[{"type": "text", "text": "token " + str(os.environ["TOKEN"])[-3:]}])
"""


def keeper(secret: Path) -> str:
    """A program whose tool tells the end of its secret, and may wait for a file before it answers."""
    args = json.dumps(["-c", BASE.replace("BODY", TOKEN)])
    env = f'{{TOKEN = "${{file:{secret}}}"}}'
    return f"[mcp.servers.keeper]\ncommand = '{sys.executable}'\nargs = {args}\nenv = {env}\n"


async def test_a_secret_of_a_program(tree: Tree, tmp_path: Path) -> None:
    """The call under way is answered by the old process, the next one by a new one; the old one ends then, and other
    servers keep theirs."""
    secret, door = tmp_path / "secret", tmp_path / "door"
    secret.write_text("the-secret-number-one")
    toml = keeper(secret) + table("files")
    script = (
        f"- {{when: {{user_contains: slow}}, call: keeper__odd, args: {{wait: {json.dumps(str(door))}}}}}\n"
        "- {when: {user_contains: quick}, call: keeper__odd}\n- {text: done}\n"
    )
    async with live(tree(script, toml=toml, tools=[])) as gateway:
        old, other = (await server(gateway, "keeper"))["pid"], (await server(gateway))["pid"]
        slow = asyncio.create_task((await gateway.session()).say("slow"))
        await until(lambda: bool(gateway.gateway.edge.host.runs))
        secret.write_text("the-secret-number-two")
        await until(lambda: gateway.gateway.snapshot.servers["keeper"].health.pid not in (None, old))
        assert completed(await (await gateway.session()).say("quick")) == ["token two"]
        assert alive(old)
        door.touch()
        assert completed(await slow) == ["token one"]
        await until(lambda: not alive(old))
        assert ((await server(gateway))["pid"], (await server(gateway))["restarts"]) == (other, 0)
        assert "the-secret" not in json.dumps(await gateway.get("/v1/status"))


async def test_a_secret_of_a_url(tree: Tree, tmp_path: Path) -> None:
    """Requests carry the new token from the edit on."""
    secret = tmp_path / "secret"
    secret.write_text("the-secret-number-one")
    async with http_server() as web:
        auth = f'{{type = "bearer", token = "${{file:{secret}}}"}}'
        toml = f'{LOOPBACK}[mcp.servers.web]\nurl = "{web.url}"\nauth = {auth}\n'
        async with live(tree(calling(("web__echo", {"text": "hi"})), toml=toml, tools=[]), watch=False) as gateway:
            assert await results(gateway) == ["hi"]
            assert {each["authorization"] for each in web.headers} == {"Bearer the-secret-number-one"}
            secret.write_text("the-secret-number-two")
            assert (await gateway.reload())["status"] == "applied"
            web.headers.clear()
            assert await results(gateway) == ["hi"]
            assert web.headers[-1]["authorization"] == "Bearer the-secret-number-two"


def refused(house: Guarded, secret: str) -> None:
    """The token server knows another secret now, and no token of before is taken any more."""
    house.secret = secret
    house.good.clear()


async def test_the_secret_of_an_oauth_client(tree: Tree, tmp_path: Path) -> None:
    """Rotated at the identity provider first: calls fail with `auth_error` until the new secret is there, and then the
    next one works without a restart."""
    secret = tmp_path / "secret"
    secret.write_text("the-secret-number-one")
    async with guarded() as house:
        house.secret = "the-secret-number-one"
        auth = (
            f'{{type = "oauth2_client_credentials", token_url = "{house.token_url}", client_id = "me", '
            f'client_secret = "${{file:{secret}}}"}}'
        )
        toml = f'{LOOPBACK}[mcp.servers.web]\nurl = "{house.mcp_url}"\nauth = {auth}\n'
        async with live(tree(calling(("web__whoami", {})), toml=toml, tools=[]), watch=False) as gateway:
            assert await results(gateway) == ["Bearer t1"]
            refused(house, "the-secret-number-two")
            assert await results(gateway) == ["auth_error"]
            secret.write_text("the-secret-number-two")
            assert (await gateway.reload())["status"] == "applied"
            (said,) = await results(gateway)
            assert said.startswith("Bearer t")
            assert house.forms[-1]["client_secret"] == "the-secret-number-two"
            assert (await server(gateway, "web"))["state"] == "ready"
