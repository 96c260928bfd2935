"""Several at once: who comes second is told so in the words of this API, and nobody harms the connection of another."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from headgate.testing.harness import live
from tests.conftest import Tree
from tests.server.mcp_servers import PATH, QUICK, boss_of, program

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
