"""Several at once: who comes second is told so in the words of this API, and nobody harms the connection of another."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from headgate.engine.overlays import Overlays
from headgate.state import encryption_keys
from headgate.stores import open_ledger
from headgate.stores.cipher import Cipher
from headgate.testing.harness import live
from tests import workshop
from tests.conftest import Tree
from tests.mcp.servers import table
from tests.server.mcp_servers import ECHO, PATH, QUICK, alive, boss_of, pid_of, program
from tests.server.native import at_gate, settled
from tests.waiting import until

MANY = 6
BAD = [
    {"args": ["x\x00y"]}, {"env": {"A": "x\x00y"}}, {"command": "a\x00b"},
    {"transport": "streamable_http", "command": None, "args": None, "url": "https://mcp.example.com",
     "headers": {"X-A": "f\u00fcr"}},
]  # fmt: skip


async def test_the_same_at_once(tree: Tree) -> None:
    """One server is made and one deleted, and whoever refreshes it finds it connected."""
    async with live(tree(toml=QUICK), watch=False) as gateway:
        boss = boss_of(gateway)

        async def told(method: str, path: str, body: Any = None) -> tuple[int, str]:
            answer = await boss.send(method, path, body)
            return answer.status_code, answer.json().get("error", {}).get("code", "")

        made = await asyncio.gather(*(told("POST", PATH, program()) for _ in range(MANY)))
        assert Counter(made) == {(200, ""): 1, (409, "mcp_server_exists"): MANY - 1}
        (item,) = await boss.ask("GET", PATH)
        refreshed = await asyncio.gather(*(boss.ask("POST", f"{PATH}/{item['id']}/refresh") for _ in range(MANY)))
        assert [each["connected"] for each in refreshed] == [True] * MANY
        gone = await asyncio.gather(*(told("DELETE", f"{PATH}/{item['id']}") for _ in range(MANY)))
        assert Counter(gone) == {(200, ""): 1, (404, "mcp_server_not_found"): MANY - 1}


@pytest.mark.parametrize("body", BAD, ids=["args", "env", "command", "header"])
async def test_what_cannot_be_sent(tree: Tree, body: dict[str, object]) -> None:
    """NUL would end what a program is given, and header fields are ASCII: refused, not cut or found out later."""
    async with live(tree(toml=QUICK), watch=False) as gateway:
        boss = boss_of(gateway)
        whole = {name: value for name, value in {**program(), **body}.items() if value is not None}
        assert await boss.code("POST", PATH, whole) == (422, "invalid_document")
        assert await boss.ask("GET", PATH) == []


async def test_deleted_by_another_process(tree: Tree) -> None:
    """The program ends soon after, though a run still has the server and a connection of before, and its next call is
    refused."""
    script = "- {call: wait, args: {name: door}}\n" + ECHO
    root = tree(script)
    async with live(root, watch=False) as gateway, open_ledger("sqlite:///.headgate/state.db", root) as ledger:
        boss = boss_of(gateway)
        await boss.ask("POST", PATH, program())
        first, run = await pid_of(boss), await boss.begin()
        await at_gate("door")
        await boss.ask("PUT", f"{PATH}/fs", {"env": {"A": "b"}})
        second = await pid_of(boss)
        assert (alive(first), alive(second)) == (True, True)
        overlays = Overlays(ledger, Cipher(encryption_keys(root / ".headgate")))
        (held,) = (await overlays.read()).documents
        await overlays.delete(held, by="elsewhere", at=5.0, generation=2)
        await until(lambda: not alive(first) and not alive(second))
        workshop.gate("door").set()
        await settled(gateway)
        results = [each.data["result"]["status"] for each in await boss.told(run) if each.event == "tool.completed"]
        assert results == ["ok", "denied"]


async def test_a_server_that_an_edit_of_the_tree_removes(tree: Tree) -> None:
    """What is taken away is gone at once, whoever takes it away."""
    async with live(tree("- {call: wait, args: {name: door}}\n" + ECHO, toml=table("fs")), watch=False) as gateway:
        boss = boss_of(gateway)
        pid, run = await pid_of(boss), await boss.begin()
        await at_gate("door")
        gateway.edit("gateway.toml", (gateway.root / "gateway.toml").read_text().replace(table("fs"), ""))
        assert (await gateway.reload())["status"] == "applied"
        assert not alive(pid)
        workshop.gate("door").set()
        await settled(gateway)
        results = [each.data["result"]["status"] for each in await boss.told(run) if each.event == "tool.completed"]
        assert results == ["ok", "denied"]
