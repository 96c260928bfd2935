"""A gateway that is asked to stop: what ends, what is left, what clients are told, and what the next one does."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import httpx2

from headgate.testing.harness import KEY, Conversation, spoken
from tests.conftest import Tree
from tests.e2e.process import Served, served
from tests.e2e.test_process import runs_of, until_run

SCRIPT = """
- {text: "one two three four five six seven eight nine ten ", delay: 400ms, call: add, args: {a: 1, b: 2}}
- {text: "And that is all."}
"""
HELD = "- {call: add, args: {a: 1, b: 2}}\n- {text: It is three.}\n"
HOLDING = '[approvals.holding]\ntools = ["add"]\ndecide = "ask"\n'


async def begun(http: httpx2.AsyncClient, text: str) -> Conversation:
    """A session of a process that is about to say this."""
    body = (await http.post("/api/chat/init", json={"api_key": KEY})).json()
    session = Conversation(http, body["session_token"], body["session_id"])
    session.messages.append({"role": "user", "content": text})
    return session


async def probes(gateway: Served) -> tuple[int, int]:
    """What liveness and readiness say."""
    answers = [await gateway.http.get(f"/health/{name}") for name in ("live", "ready")]
    return answers[0].status_code, answers[1].status_code


async def test_a_step_ends_and_the_rest_is_left(tree: Tree) -> None:
    """The turn that is being made is kept, the process ends with 0, and the next one makes the rest of the run."""
    root = tree(SCRIPT)
    async with served(root) as gateway:
        session = await begun(gateway.http, "hi")
        async with session.stream() as events:
            found = [await anext(events)]
            assert await probes(gateway) == (200, 200)
            gateway.process.send_signal(signal.SIGTERM)
            found.append(await anext(events))
            while (status := await probes(gateway)) == (200, 200):  # noqa: ASYNC110 -- it is another process
                await asyncio.sleep(0.005)
            assert status == (200, 503)
            assert (await gateway.http.get("/health/ready")).json() == {"status": "draining"}
            refused = await gateway.http.post("/api/chat", json={"messages": session.messages}, headers=session.headers)
            found += [event async for event in events]
        async with asyncio.timeout(60):
            assert await gateway.process.wait() == 0
    assert refused.status_code in (409, 503)
    assert spoken(found[:-1]) == "one two three four five six seven eight nine ten "
    assert [event["type"] for event in found[-2:]] == ["text_delta", "error"]
    assert found[-1]["error"] == "stopping: the gateway is stopping; the run goes on when it is back"
    assert [run[:2] for run in runs_of(root)] == [("running", 1)]
    async with served(root):
        await until_run(root, "completed")
    text = "one two three four five six seven eight nine ten And that is all."
    assert runs_of(root) == [("completed", 2, text)]


async def test_a_run_that_waits(tree: Tree) -> None:
    """Its stream ends at once, its question stays, and is answered in the next process by the same token."""
    root = tree(HELD, toml=HOLDING)
    asked: list[dict[str, Any]] = []
    async with served(root) as gateway:
        session = await begun(gateway.http, "held")
        async with session.stream() as events:
            async with asyncio.timeout(60):
                while not asked or asked[-1]["type"] != "tool_approval_request":
                    asked.append(await anext(events))
            gateway.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(60):
                rest = [event async for event in events]
        async with asyncio.timeout(60):
            assert await gateway.process.wait() == 0
    assert [event["type"] for event in rest] == ["error"]
    assert [run[0] for run in runs_of(root)] == ["waiting"]
    async with served(root) as gateway:
        answer = {"tool_call_id": asked[-1]["tool_call_id"], "nonce": asked[-1]["nonce"], "approved": True}
        given = await gateway.http.post("/api/chat/tool-approval", json=answer, headers=session.headers)
        assert given.status_code == 200, given.text
        await until_run(root, "completed")
    assert [run[0] for run in runs_of(root)] == ["completed"]
