"""Agents that are invoked and talked with, in the words of agents-gateway."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.testing.harness import agent_md, live
from tests import workshop
from tests.conftest import Tree
from tests.server.native import ASK, CALL, HELD, ROBOT, Caller, at_gate, frames, settled, spoken
from tests.waiting import until

INVOKE, CHAT = "/v1/agents/helper/invoke", "/v1/agents/helper/chat"
HI = {"message": "hi"}


async def test_an_invocation(tree: Tree) -> None:
    """The answer comes when the run has ended, with the members that clients know."""
    async with live(tree(CALL), watch=False) as gateway:
        answer = await Caller(gateway).send("POST", INVOKE, {"message": "add", "input": {}, "options": None})
        body = answer.json()
    run, usage = body["run_id"], body["usage"]
    assert list(body) == ["execution_id", "run_id", "agent_id", "status", "result", "usage", "error"]
    assert (answer.status_code, answer.headers["x-headgate-run"], body["execution_id"]) == (200, run, run)
    assert (body["agent_id"], body["status"], body["error"]) == ("helper", "completed", None)
    assert body["result"] == {"output": None, "raw_text": "Done", "validation_errors": None}
    assert (usage["llm_calls"], usage["tool_calls"], usage["models_used"], usage["cost_usd"]) == (2, 1, ["scripted"], 0)
    assert min(usage["input_tokens"], usage["output_tokens"]) > 0


async def test_a_run_that_fails(tree: Tree) -> None:
    """A failed run is an answer, whose status and error say so."""
    async with live(tree("- {error: 401}\n"), watch=False) as gateway:
        body = await Caller(gateway).ask("POST", INVOKE, HI)
    assert (body["status"], body["result"]) == ("failed", None)
    assert body["error"].startswith("provider_auth: ")


async def test_a_run_that_takes_too_long(tree: Tree) -> None:
    """Time ends the run, not just the wait for it; the caller can give it less than the agent has."""
    async with live(tree(HELD, timeout="1500ms"), watch=False) as gateway:
        body = await Caller(gateway).ask("POST", INVOKE, {**HI, "options": {"timeout_ms": 5000}})
        execution = await Caller(gateway).ask("GET", f"/v1/executions/{body['execution_id']}")
        record = await gateway.gateway.edge.host.ledger.run(body["run_id"])
    assert (body["status"], execution["status"]) == ("timeout", "timeout")
    assert body["error"] == "run_timeout: the run did not end within 1.5 s"
    assert record is not None
    assert record.request.timeout == 5.0


async def test_async(tree: Tree) -> None:
    """With `async` the answer comes at once, and says where to look."""
    async with live(tree(HELD), watch=False) as gateway:
        caller = Caller(gateway)
        body = await caller.ask("POST", INVOKE, {**HI, "options": {"async": True}}, 202)
        before = await caller.ask("GET", body["poll_url"])
        workshop.gate("held").set()
        await settled(gateway)
        after = await caller.ask("GET", body["poll_url"])
    assert (body["status"], body["agent_id"], body["run_id"]) == ("running", "helper", body["execution_id"])
    assert (before["status"], before["result"], before["completed_at"]) == ("running", None, None)
    assert (after["status"], after["result"]["raw_text"], after["message"]) == ("completed", "five six seven", "hi")
    assert after["completed_at"] >= after["started_at"] >= after["created_at"]


async def test_stream(tree: Tree) -> None:
    """With `stream` the answer is the run's events."""
    async with live(tree(CALL), watch=False) as gateway:
        headers = Caller(gateway).headers
        body = {**HI, "options": {"stream": True}}
        async with gateway.http.stream("POST", INVOKE, json=body, headers=headers) as answer:
            told = [event async for event in frames(answer)]
    assert answer.headers["x-headgate-run"] == told[0].data["run"]
    assert (told[0].event, told[-1].event, spoken(told)) == ("run.started", "run.completed", "AddingDone")


@pytest.mark.parametrize("path", [INVOKE, CHAT])
async def test_a_run_that_comes_to_wait(tree: Tree, path: str) -> None:
    """When the run can only wait, the answer says for what, and where to look."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        caller = Caller(gateway)
        body = await caller.ask("POST", path, HI, 202)
        (wait,) = body["waits"]
        await caller.ask("POST", f"/v1/approvals/{wait['id']}", {"decision": "approve"})
        await until(lambda: not gateway.gateway.edge.host.runs)
        async with asyncio.timeout(60):
            told = await caller.told(body["run_id"])
        found = await caller.ask("GET", body["poll_url"])
    assert (body["status"], wait["tool"], wait["state"]) == ("waiting", "add", "pending")
    assert (body["session_id"] is None) == (path == INVOKE)
    assert told[-1].event == "run.completed"
    assert (found["status"], found["result"]["raw_text"]) == ("completed", "Done")


async def test_a_caller_that_leaves(tree: Tree) -> None:
    """The run goes on without the caller who began it."""
    async with live(tree(HELD), watch=False) as gateway:
        caller = Caller(gateway)
        waiting = asyncio.create_task(caller.send("POST", INVOKE, HI))
        await at_gate("held")
        waiting.cancel()
        await asyncio.wait([waiting])
        await until(lambda: not gateway.gateway.edge.host.streams.count("tester"))
        workshop.gate("held").set()
        await settled(gateway)
        (run,) = (await caller.ask("GET", "/v1/runs"))["items"]
    assert run["state"] == "completed"


async def test_a_caller_that_leaves_a_run_that_needs_one(tree: Tree) -> None:
    """The agent's `on_disconnect` holds for invocations too."""
    path = tree(HELD, on_disconnect={"cancel_after": "1ms"})
    async with live(path, watch=False) as gateway:
        caller = Caller(gateway)
        waiting = asyncio.create_task(caller.send("POST", INVOKE, HI))
        await at_gate("held")
        waiting.cancel()
        await settled(gateway)
        (run,) = (await caller.ask("GET", "/v1/runs"))["items"]
    assert run["state"] == "cancelled"


async def test_a_conversation(tree: Tree) -> None:
    """The gateway keeps what was said, and a turn goes on from there."""
    script = "- {when: {user_contains: first}, text: One}\n- {when: {user_contains: second}, text: Two}\n"
    async with live(tree(script), watch=False) as gateway:
        caller = Caller(gateway)
        first = await caller.ask("POST", CHAT, {"message": "first"})
        session = first["session_id"]
        second = await caller.ask("POST", CHAT, {"message": "second", "session_id": session})
        said = (await caller.ask("GET", f"/v1/sessions/{session}/messages"))["items"]
    assert [(each["result"]["raw_text"], each["turn_count"]) for each in (first, second)] == [("One", 1), ("Two", 2)]
    assert second["session_id"] == session
    assert [each["content"] for each in said] == ["first", "One", "second", "Two"]


async def test_a_streamed_conversation(tree: Tree) -> None:
    """A stream names its session in a header."""
    async with live(tree(), watch=False) as gateway:
        caller = Caller(gateway)
        body = {**HI, "options": {"stream": True}}
        async with gateway.http.stream("POST", CHAT, json=body, headers=caller.headers) as answer:
            told = [event async for event in frames(answer)]
        session = await caller.ask("GET", f"/v1/sessions/{answer.headers['x-headgate-session']}")
    assert (spoken(told), session["turn_count"]) == ("Hello there", 1)


async def test_conversations_that_cannot_go_on(tree: Tree) -> None:
    """Another's, one that is not there, one of another agent, a closed one, and one in which a run goes on."""
    files = {"agents/second.md": agent_md(model="default/auto")}
    async with live(tree(HELD, files=files), watch=False) as gateway:
        caller = Caller(gateway)
        session = (await caller.ask("POST", "/v1/sessions", {"agent": "helper"}, 201))["session_id"]
        there = {**HI, "session_id": session}
        assert await caller.code("POST", CHAT, {**HI, "session_id": "sess_0"}) == (404, "session_not_found")
        assert await caller.code("POST", "/v1/agents/second/chat", there) == (409, "session_agent_mismatch")
        assert await caller.code("POST", "/v1/agents/none/chat", there) == (404, "agent_not_found")
        run = await caller.begin(session_id=session)
        assert await caller.code("POST", CHAT, there) == (409, "run_in_progress")
        assert await caller.code("POST", "/v1/runs", there) == (409, "run_in_progress")
        assert await caller.code("DELETE", f"/v1/sessions/{session}") == (409, "run_in_progress")
        await caller.ask("POST", f"/v1/runs/{run}/cancel")
        await settled(gateway)
        await caller.ask("POST", f"/v1/sessions/{session}/close")
        assert await caller.code("POST", CHAT, there) == (409, "session_closed")


async def test_one_run_at_a_time(tree: Tree) -> None:
    """Of several turns that are posted to a session at once, one is taken."""
    async with live(tree(HELD), watch=False) as gateway:
        caller = Caller(gateway)
        session = (await caller.ask("POST", "/v1/sessions", status=201))["session_id"]
        posts = [caller.send("POST", "/v1/runs", {**HI, "session_id": session}) for _ in range(5)]
        codes = sorted([each.status_code for each in await asyncio.gather(*posts)])
        workshop.gate("held").set()
    assert codes == [201, 409, 409, 409, 409]


REFUSED: list[tuple[str, dict[str, Any], int, str, str]] = [
    (INVOKE, {"options": {"async": True, "stream": True}}, 400, "streaming_not_supported", "exclude"),
    (INVOKE, {"options": {"output_schema": {}}}, 422, "invalid_request", "an answer in a shape (output_schema)"),
    (INVOKE, {"options": {"timeout_ms": 300_001}}, 422, "invalid_request", "300000"),
    (INVOKE, {"message": "x" * 102_401}, 422, "invalid_request", "102400"),
    (CHAT, {"options": {"async": True}}, 422, "invalid_request", "Extra inputs"),
    ("/v1/agents/nobody/invoke", {}, 404, "agent_not_found", "nobody"),
]


@pytest.mark.parametrize(("path", "body", "status", "code", "words"), REFUSED)
async def test_what_is_refused(tree: Tree, path: str, body: dict[str, Any], status: int, code: str, words: str) -> None:
    """What cannot be had is refused before anything begins, and says why."""
    async with live(tree(), watch=False) as gateway:
        found = await Caller(gateway).ask("POST", path, {**HI, **body}, status)
        assert (await Caller(gateway).ask("GET", "/v1/runs"))["items"] == []
    assert found["error"]["code"] == code
    assert words in found["detail"]


async def test_executions(tree: Tree) -> None:
    """Runs are listed as executions, filtered, and cancelled as such."""
    async with live(tree(HELD), watch=False) as gateway:
        caller = Caller(gateway)
        first = (await caller.ask("POST", INVOKE, {**HI, "options": {"async": True}}, 202))["execution_id"]
        session = (await caller.ask("POST", "/v1/sessions", status=201))["session_id"]
        second = await caller.begin(session_id=session)
        every = await caller.ask("GET", "/v1/executions?agent_id=helper")
        one = await caller.ask("GET", f"/v1/executions?session_id={session}&limit=1")
        await at_gate("held")
        done = await caller.ask("POST", f"/v1/executions/{first}/cancel")
        await until(lambda: first not in gateway.gateway.edge.host.runs)
        late = await caller.code("POST", f"/v1/executions/{first}/cancel")
        missing = await caller.code("GET", "/v1/executions/none")
        ended = await caller.ask("GET", f"/v1/executions/{first}")
    assert {each["execution_id"] for each in every} == {first, second}
    assert [each["execution_id"] for each in one] == [second]
    assert (every[0]["message"], every[0]["result"], every[0]["usage"]["tool_calls"]) == (None, None, None)
    assert done["status"] == "cancel_requested"
    assert (late, missing) == ((409, "invalid_state"), (404, "execution_not_found"))
    assert (ended["status"], ended["root_execution_id"], ended["delegation_depth"]) == ("cancelled", first, 0)


async def test_a_key_for_one_agent(tree: Tree) -> None:
    """`agents:invoke:NAME` is enough for all ways to have runs of that agent, and for no other agent."""
    toml = f'[auth.keys.robot]\nkey = "{ROBOT}"\nscopes = ["agents:invoke:helper", "executions:read"]\n'
    files = {"agents/second.md": agent_md(model="default/auto")}
    async with live(tree(toml=toml, files=files), watch=False) as gateway:
        robot = Caller(gateway, ROBOT)
        assert (await robot.ask("POST", INVOKE, HI))["status"] == "completed"
        assert (await robot.ask("POST", CHAT, HI))["status"] == "completed"
        run = await robot.begin(agent="helper")
        assert (await robot.told(run))[-1].event == "run.completed"
        for path, body in (("/v1/agents/second/invoke", HI), ("/v1/runs", {**HI, "agent": "second"})):
            assert await robot.code("POST", path, body) == (403, "insufficient_scope")
        assert await robot.code("POST", f"/v1/runs/{run}/cancel") == (403, "insufficient_scope")
