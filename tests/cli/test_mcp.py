"""Access to one's own account is granted from the command line: at a server, and for a tree that nobody serves."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headgate.testing.harness import live
from headgate.testing.mcp_protected import OAuthHouse, oauth_house
from tests.cli.console import COMMAND, Done, environment, headgate
from tests.conftest import Tree
from tests.server.people import ANN, WHOAMI, browser, crm

_LIMIT = 60


@pytest.fixture
async def house() -> AsyncIterator[OAuthHouse]:
    async with oauth_house() as made:
        yield made


async def authorize(home: Path, *words: str, person: str, environ: dict[str, str]) -> Done:
    """Runs `headgate mcp authorize crm`, and follows the link that it prints."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "mcp", "authorize", "crm", *words, cwd=home, env=environment(home, environ),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    link = (await asyncio.wait_for(process.stdout.readline(), _LIMIT)).decode().strip()
    async with browser(person) as own:
        page = await own.grant(link)
        assert page.status_code == 200, page.text
    out, err = await asyncio.wait_for(process.communicate(), _LIMIT)
    return Done(process.returncode, out.decode(), err.decode())


def free_port() -> str:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


async def test_at_a_server(tree: Tree, house: OAuthHouse, tmp_path: Path) -> None:
    """The link is printed, the command ends when access is granted, and what is granted can be seen and taken back."""
    environ = {"HEADGATE_API_KEY": ANN}
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        there = ("--url", gateway.url)
        before = await headgate("mcp", "status", "crm", *there, home=tmp_path, environ=environ)
        assert (before.code, before.out) == (1, "crm: nothing is granted by ann\n")
        done = await authorize(tmp_path, *there, person="ann@crm", environ=environ)
        assert (done.code, "crm: granted by ann, scopes: read" in done.err) == (0, True), done.err
        told = await headgate("mcp", "status", "crm", "--format", "json", *there, home=tmp_path, environ=environ)
        assert (told.code, json.loads(told.out)["state"]) == (0, "granted")
        gone = await headgate("mcp", "revoke", "crm", *there, home=tmp_path, environ=environ)
        assert gone.out == "crm: what was granted is forgotten here and at the authorization server\n"
        again = await headgate("mcp", "revoke", "crm", *there, home=tmp_path, environ=environ)
        assert (again.code, again.out) == (0, "crm: nothing was granted\n")
        none = await headgate("mcp", "status", "none", *there, home=tmp_path, environ=environ)
        assert (none.code, "there is no MCP server 'none'" in none.err) == (1, True)


async def test_on_a_tree(tree: Tree, house: OAuthHouse, tmp_path: Path) -> None:
    """The operator of the machine grants access with no gateway running, and `headgate run` uses it then."""
    root = tree(WHOAMI, toml=crm(house))
    environ = {"HEADGATE_PORT": free_port(), "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    done = await authorize(tmp_path, "--tree", str(root), person="op@crm", environ=environ)
    assert (done.code, "crm: granted by local operator" in done.err) == (0, True), done.err
    ran = await headgate(
        "run", "helper", "who am I?", "--tree", str(root), "--format", "json", home=tmp_path, environ=environ
    )
    report = json.loads(ran.out)
    assert [(each["name"], each["status"]) for each in report["tools"]] == [("crm__whoami", "ok")], ran.out
    assert {each.person for each in house.authority.tokens.values()} == {"op@crm"}
    gone = await headgate("mcp", "revoke", "crm", "--tree", str(root), home=tmp_path, environ=environ)
    assert (gone.code, gone.out.startswith("crm: what was granted is forgotten")) == (0, True), gone.err
    assert house.authority.tokens == {}
