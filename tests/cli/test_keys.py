"""Keys and kill switches at the command line, on a server and on a tree that nobody serves."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2

from headgate.core.apikeys import digest_of
from headgate.testing.harness import KEY, Live, live
from tests.cli.console import Done, headgate
from tests.conftest import Tree


async def on(gateway: Live, *words: str, home: Path) -> Done:
    """The command against a server."""
    return await headgate(*words, "--url", gateway.url, home=home, environ={"HEADGATE_API_KEY": KEY})


async def beside(root: Path, *words: str) -> Done:
    """The command on a tree."""
    return await headgate(*words, "--tree", str(root), home=root, environ={"PYTHONPATH": str(Path.cwd())})


def empty(folder: Path) -> bool:
    """Whether nothing is in the folder."""
    return not list(folder.iterdir())


async def opens(http: httpx2.AsyncClient, key: str) -> int:
    """The status that a key gets."""
    return (await http.get("/v1/status", headers={"authorization": f"Bearer {key}"})).status_code


async def test_keys_on_a_server(tree: Tree, tmp_path: Path) -> None:
    """The secret alone is on standard output; it works, is listed without itself, rotated and revoked."""
    async with live(tree(), watch=False) as gateway:
        made = await on(gateway, "keys", "create", "ci", "--team", "web", "--scope", "status:read", home=tmp_path)
        key = made.out.strip()
        assert (made.code, key.startswith("hg_"), "not shown again" in made.err) == (0, True, True)
        assert await opens(gateway.http, key) == 200
        listed = await on(gateway, "keys", "list", home=tmp_path)
        assert "ci  (made by tester)\n    team web; status:read\n" in listed.out
        assert key not in listed.out
        second = json.loads((await on(gateway, "keys", "rotate", "ci", "--format", "json", home=tmp_path)).out)
        assert (await opens(gateway.http, key), await opens(gateway.http, second["key"])) == (401, 200)
        assert (await on(gateway, "keys", "revoke", "ci", home=tmp_path)).out == "key ci is revoked\n"
        assert await opens(gateway.http, second["key"]) == 401
        wrong = await on(gateway, "keys", "create", "x", "--scope", "chta", home=tmp_path)
        assert (wrong.code, "did you mean 'chat'?" in wrong.err) == (1, True)


async def test_keys_beside_a_tree(tree: Tree) -> None:
    """What is made while nobody serves the tree counts when somebody does; while somebody does it is refused."""
    root = tree()
    async with live(root, watch=False):
        refused = await beside(root, "keys", "create", "early")
        assert (refused.code, "another gateway runs" in refused.err) == (1, True)
    key = (await beside(root, "keys", "create", "night", "--scope", "status:read")).out.strip()
    wrong = await beside(root, "keys", "create", "x", "--agent", "nobody")
    assert (wrong.code, "no agent is called 'nobody'" in wrong.err) == (1, True)
    taken = await beside(root, "keys", "create", "tester")
    assert (taken.code, "edit it there" in taken.err) == (1, True)
    async with live(root, watch=False) as gateway:
        assert await opens(gateway.http, key) == 200
    assert (await beside(root, "keys", "revoke", "night")).code == 0
    async with live(root, watch=False) as gateway:
        assert await opens(gateway.http, key) == 401
        told = [each["kind"] for each in (await gateway.get("/v1/audit"))["items"]]
    assert {"key.made", "key.revoked"} <= set(told)


async def test_kill_switches(tree: Tree, tmp_path: Path) -> None:
    """On at a server, listed and off beside the tree; a misspelt target is refused in both places."""
    root = tree()
    async with live(root, watch=False) as gateway:
        words = ("kill", "on", "agent", "helper", "--reason", "Enough.", "--name", "mine")
        assert (await on(gateway, *words, home=tmp_path)).out == (
            "agent helper is stopped by mine; 0 runs in progress end\n"
        )
        missed = await on(gateway, "kill", "on", "agent", "helpr", "--reason", "x", home=tmp_path)
        assert (missed.code, "did you mean 'helper'?" in missed.err) == (1, True)
    missed = await beside(root, "kill", "on", "agent", "helpr", "--reason", "x")
    assert (missed.code, "did you mean 'helper'?" in missed.err) == (1, True)
    assert (await beside(root, "kill", "list")).out == "mine  agent helper (by tester)\n    Enough.\n"
    assert (await beside(root, "kill", "off", "mine")).code == 0
    assert (await beside(root, "kill", "on", "gateway", "--reason", "Maintenance.")).code == 0
    async with live(root, watch=False) as gateway:
        answer = await gateway.http.post("/v1/runs", json={"message": "x"}, headers=dict(gateway.headers))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "killed")


async def test_a_secret_for_the_tree(tmp_path: Path) -> None:
    """`keys new` prints a secret and its hash, and keeps nothing."""
    done = await headgate("keys", "new", home=tmp_path)
    (_, key), (_, shown) = (line.split() for line in done.out.splitlines())
    assert shown == f'"sha256:{digest_of(key)}"'
    assert empty(tmp_path)
