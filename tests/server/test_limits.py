"""Limits at the door: what is too large, too many, or too long is refused, and the gateway stays usable."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from headgate.server.protocol import LARGEST_HEAD
from headgate.testing.harness import KEY, Live, live, spoken
from tests import workshop
from tests.conftest import Tree
from tests.waiting import until

HI = {"messages": [{"role": "user", "content": "hi"}]}


async def raw(gateway: Live, request: bytes) -> bytes:
    """The answer to these bytes, until the server closes."""
    address = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/init"])
async def test_a_large_body(tree: Tree, path: str) -> None:
    """A body over the limit is 413."""
    async with live(tree(toml='[server.limits]\nbody = "1KiB"\n'), watch=False) as gateway:
        answer = await gateway.http.post(path, json={"api_key": "x" * 2000}, headers={"authorization": "Bearer x"})
    assert (answer.status_code, answer.json()) == (413, {"detail": "Request Entity Too Large"})


async def test_a_large_head(tree: Tree) -> None:
    """A request head that does not end is refused before it fills the memory."""
    async with live(tree(), watch=False) as gateway:
        head = b"GET /api/health HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * LARGEST_HEAD
        answer = await raw(gateway, head)
        assert (await gateway.http.get("/api/health")).status_code == 200
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_too_many_sessions(tree: Tree) -> None:
    """A key that holds its sessions gets 429, also when it asks for many at once."""
    async with live(tree(toml="[server.limits]\nsessions = 3\n"), watch=False) as gateway:
        asked = [gateway.http.post("/api/chat/init", json={"api_key": KEY}) for _ in range(6)]
        answers = await asyncio.gather(*asked)
        last = await gateway.http.post("/api/chat/init", json={"api_key": KEY})
    assert sum(answer.status_code == 200 for answer in answers) == 3
    assert last.status_code == 429
    assert "retry-after" in last.headers


SCRIPT = "- {call: wait, args: {name: full}}\n- {text: ok}\n"
CROWDED = [("server.limits", "runs", 503), ("server.limits", "streams_per_key", 429), ("limits", "runs_per_key", 429)]


@pytest.mark.parametrize(("table", "limit", "status"), CROWDED)
async def test_too_much_at_once(tree: Tree, table: str, limit: str, status: int) -> None:
    """More runs than the gateway may have are 503, more runs or streams than the key may have 429, with Retry-After."""
    async with live(tree(SCRIPT, toml=f"[{table}]\n{limit} = 1\n"), watch=False) as gateway:
        first, second = await gateway.session(), await gateway.session()
        talk = asyncio.create_task(first.say("hi"))
        await until(lambda: "full" in workshop.entered)
        refused = await gateway.http.post("/api/chat", json=HI, headers=second.headers)
        workshop.gate("full").set()
        await talk
        allowed = await gateway.http.post("/api/chat", json=HI, headers=second.headers)
    assert (refused.status_code, refused.headers["retry-after"]) == (status, "1")
    assert allowed.status_code == 200


OTHER_KEY = '[auth.keys.other]\nkey = "another-key-of-the-tests"\n[limits]\nruns_per_key = 1\n'


async def test_runs_of_a_key(tree: Tree) -> None:
    """A run that nobody listens to counts for its key, but not against the next chat of its own session, nor against
    another key."""
    async with live(tree(SCRIPT, toml=OTHER_KEY), watch=False) as gateway:
        first, second = await gateway.session(), await gateway.session()
        first.messages.append({"role": "user", "content": "hi"})
        async with first.stream():
            await until(lambda: "full" in workshop.entered)
        refused = await gateway.http.post("/api/chat", json=HI, headers=second.headers)
        other = await replace(gateway, key="another-key-of-the-tests").session()
        talks = [asyncio.create_task(session.say("hi again")) for session in (first, other)]
        await until(lambda: len(workshop.entered) == 3)
        workshop.gate("full").set()
        assert [spoken(await talk) for talk in talks] == ["ok", "ok"]
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json() == {"detail": "key 'tester' has 1 runs in progress already"}


async def test_a_slow_reader(tree: Tree) -> None:
    """A client that does not read holds up neither the run nor others, and gets everything when it reads."""
    script = "- {call: talk, args: {topic: '" + "x" * 3000 + "'}}\n- {text: '" + "word " * 200_000 + "'}\n"
    async with live(tree(script), watch=False) as gateway:
        session = await gateway.session()
        session.messages.append({"role": "user", "content": "hi"})
        async with session.stream() as events:
            first = await anext(events)
            await until(lambda: not gateway.gateway.edge.host.runs)
            assert gateway.gateway.edge.host.streams.count("tester") == 1
            rest = [event async for event in events]
    assert first["type"] == "tool_call_start"
    assert "".join(event["text"] for event in rest if event["type"] == "text_delta") == "word " * 200_000
    assert rest[-1]["type"] == "stream_complete"


@pytest.mark.parametrize(
    "request_line", [b"GET /%ff%fe HTTP/1.1", b"GET /api/\xff HTTP/1.1", b"GET /api/chat/../x HTTP/1.1"]
)
async def test_malformed_paths(tree: Tree, request_line: bytes) -> None:
    """Paths that are no text are not found or not understood, and break nothing."""
    async with live(tree(), watch=False) as gateway:
        answer = await raw(
            gateway, request_line + b"\r\nhost: localhost\r\nx-odd: \xff\xfe\r\nconnection: close\r\n\r\n"
        )
    assert answer.split(b" ")[1] in (b"404", b"400")


@pytest.mark.parametrize("depth", [200, 900, 5000])
async def test_deep_bodies(tree: Tree, depth: int) -> None:
    """However deep a body is nested, the answer is a refusal and not a crash."""
    async with live(tree(), watch=False) as gateway:
        body = b'{"api_key":' + b"[" * depth + b"]" * depth + b"}"
        answer = await gateway.http.post("/api/chat/init", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
