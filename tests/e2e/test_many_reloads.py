"""A hundred reloads beside fifty streams: nobody notices, and nothing is left behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2

from headgate.testing.harness import KEY, Conversation, Live, agent_md, gateway_toml, live, spoken
from tests.conftest import DEFAULT, Tree
from tests.waiting import until

STREAMS, RELOADS = 50, 100
WORDS = " ".join(f"word{n}" for n in range(25))
SCRIPT = f"- {{delay: 40ms, text: '{WORDS}'}}\n"
AGENT = {"model": "default/auto", "tools": ["*"]}
FUNCTIONS = '[functions]\npackages = ["tests.workshop"]\n'
OTHER = """
[providers.other]
kind = "anthropic"
api_key = "${{env:NOT_SET:-a-key-that-nobody-uses}}"
prices = {{x = {{input = {n}, output = 1}}}}
"""


BROKEN = [("gateway.toml", "this is not TOML"), ("agents/helper.md", agent_md(modle="x")), ("script.yaml", "- 1\n")]
WHOLE = {
    "gateway.toml": gateway_toml(FUNCTIONS + OTHER.format(n=1), top=DEFAULT),
    "agents/helper.md": agent_md(**AGENT),
    "script.yaml": SCRIPT,
}
BARE = {**WHOLE, "gateway.toml": gateway_toml(FUNCTIONS, top=DEFAULT)}
"""What a broken file is replaced by: an object is gone then, too."""


def edits() -> Iterator[tuple[str, str, str]]:
    """File, text and what becomes of it: every kind of object is opened anew, added or removed, and every fourth edit
    is broken in one way or another."""
    for n in range(RELOADS // 4):
        toml = gateway_toml(FUNCTIONS + OTHER.format(n=n + 1), top=DEFAULT)
        yield "agents/helper.md", agent_md(f"You help, the {n}th.", **AGENT), "applied"
        yield "gateway.toml", toml + f'[egress]\nallow = ["host{n}.example"]\n', "applied"
        yield *BROKEN[n % 3], "rejected"
        yield "script.yaml", SCRIPT + f"- {{text: never {n}}}\n", "applied"


async def listen(url: str, done: asyncio.Event, begun: set[object]) -> list[str]:
    """What one client is told, chat after chat, on a connection of its own."""
    said = []
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
        body = (await http.post("/api/chat/init", json={"api_key": KEY})).json()
        while not done.is_set():
            session = Conversation(http, body["session_token"], body["session_id"])
            begun.add(http)
            said.append(spoken(await session.say("slow")))
    return said


async def reload_all(gateway: Live) -> list[tuple[str, str]]:
    """Makes every edit live, or tries to; each outcome beside the one that was expected."""
    out = []
    for file, text, expected in edits():
        gateway.edit(file, text)
        result = await gateway.gateway.edge.reloader.reload()
        out.append((expected, result.status))
        if expected == "rejected":
            gateway.edit(file, BARE[file])
    for file, text in WHOLE.items():
        gateway.edit(file, text)
    await gateway.gateway.edge.reloader.reload()
    return out


def held() -> tuple[Counter[str], int]:
    """The tasks by name, those that own an open object among them, and the number of open files."""
    names = Counter(task.get_name().rstrip("0123456789") for task in asyncio.all_tasks())
    return names, len(list(Path("/dev/fd").iterdir()))


async def test_a_hundred_reloads_beside_fifty_streams(tree: Tree) -> None:
    """Every text arrives whole, every edit has its outcome, and afterwards the same objects, tasks and files are open
    as before."""
    async with live(tree(files=WHOLE), watch=False) as gateway:
        before, done, begun = held(), asyncio.Event(), set[object]()
        streams = [asyncio.create_task(listen(gateway.url, done, begun)) for _ in range(STREAMS)]
        await until(lambda: len(begun) == STREAMS)
        outcomes = await reload_all(gateway)
        done.set()
        said = await asyncio.gather(*streams)
        assert [each for each in outcomes if each[0] != each[1]] == []
        assert len(outcomes) == RELOADS
        assert {text for texts in said for text in texts} == {WORDS}
        await until(lambda: held() == before)
        assert gateway.gateway.snapshot.leases == 0
