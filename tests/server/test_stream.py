"""The stream of a chat as its bytes on the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from headgate.testing.harness import Conversation, Live, live
from tests import workshop
from tests.conftest import Tree
from tests.waiting import until

COMPLETE = (
    rb'{"type":"stream_complete","usage":{"input_tokens":\d+,"output_tokens":\d+,"cache_creation_input_tokens":0,'
    rb'"cache_read_input_tokens":0,"estimated_cost":0.0}}'
)


async def frames(gateway: Live, text: str = "hi") -> list[bytes]:
    """What follows `data: ` in every frame of one chat; the framing itself is checked."""
    session = await gateway.session()
    answer = await gateway.http.post(
        "/api/chat", json={"messages": [{"role": "user", "content": text}]}, headers=session.headers
    )
    parts = answer.content.split(b"\n\n")
    assert parts.pop() == b""
    assert all(part.startswith(b"data: {") and b"\n" not in part for part in parts)
    return [part.removeprefix(b"data: ") for part in parts]


def normal(found: Sequence[bytes]) -> list[bytes]:
    """The frames with what differs between runs taken out."""
    plain = (re.sub(rb'"duration_ms":\d+', b'"duration_ms":0', frame) for frame in found)
    return [re.sub(rb"call_run_[0-9a-f]{32}_", b"call_", frame) for frame in plain]


async def test_text_and_thinking(tree: Tree) -> None:
    """Thinking and text come as deltas in the members' order, and one terminal frame ends the stream."""
    async with live(tree('- {thinking: "hm m", text: "a \\"b\\" é"}\n'), watch=False) as gateway:
        *said, last = await frames(gateway)
    assert said == [
        b'{"type":"thinking_delta","text":"hm "}',
        b'{"type":"thinking_delta","text":"m"}',
        b'{"type":"text_delta","text":"a "}',
        b'{"type":"text_delta","text":"\\"b\\" "}',
        '{"type":"text_delta","text":"é"}'.encode(),
    ]
    assert re.fullmatch(COMPLETE, last)


async def test_a_tool(tree: Tree) -> None:
    """A call is told before it runs and when it has its result; then the model goes on."""
    async with live(tree("- {call: add, args: {b: 2, a: 1}}\n- {text: Done}\n"), watch=False) as gateway:
        found = normal(await frames(gateway))
    assert found[:3] == [
        b'{"type":"tool_call_start","tool_call_id":"call_1_0","tool_name":"add","tool_input":{"b":2,"a":1},'
        b'"execution_location":"backend","call_index":0}',
        b'{"type":"tool_call_complete","tool_call_id":"call_1_0","tool_name":"add","result":{"sum":3},"error":null,'
        b'"duration_ms":0,"server":null}',
        b'{"type":"text_delta","text":"Done"}',
    ]


async def test_calls_of_one_turn_run_together(tree: Tree) -> None:
    """All calls of a turn have begun before one of them ends, and are counted from 0."""
    calls = (
        "- calls: [{call: meet, args: {n: 1}}, {call: meet, args: {n: 2}}, {call: meet, args: {n: 3}}]\n- {text: ok}\n"
    )
    async with live(tree(calls), watch=False) as gateway:
        found = [json.loads(frame) for frame in await frames(gateway)]
    assert [each["type"] for each in found[:6]] == ["tool_call_start"] * 3 + ["tool_call_complete"] * 3
    assert [each["call_index"] for each in found[:3]] == [0, 1, 2]
    assert {each["result"] for each in found[3:6]} == {1, 2, 3}


FAILURES = [
    ("{call: nothing, args: {}}", "unknown_tool", "there is no tool 'nothing'; available: add, fail, meet, talk, wait"),
    ("{call: add, args: {a: 1}}", "invalid_arguments", "'b' is a required property"),
    ("{call: fail, args: {how: tool}}", "no_customer", "There is no such customer."),
    ("{call: fail, args: {how: boom}}", "tool_error", "fail failed with ValueError"),
]


@pytest.mark.parametrize(("call", "code", "message"), FAILURES)
async def test_a_failed_tool(tree: Tree, call: str, code: str, message: str) -> None:
    """A failed call has no result but an error with a code and a sentence, and the model goes on."""
    async with live(tree(f"- {call}\n- {{text: Sorry}}\n"), watch=False) as gateway:
        found = [json.loads(frame) for frame in await frames(gateway)]
    assert found[1]["result"] is None
    assert found[1]["error"] == {"code": code, "message": message}
    assert [each["type"] for each in found[2:]] == ["text_delta", "stream_complete"]


async def test_a_tool_that_speaks(tree: Tree) -> None:
    """What a tool emits and prints comes between its start and its completion."""
    async with live(tree("- {call: talk, args: {topic: tea}}\n- {text: ok}\n"), watch=False) as gateway:
        found = normal(await frames(gateway))
    assert found[1:3] == [
        b'{"type":"progress","topic":"tea","done":0.5}',
        b'{"type":"tool_output_chunk","tool_call_id":"call_1_0","tool_name":"talk","stream":"stdout","text":"tea\\n",'
        b'"seq":1}',
    ]


async def test_a_retry(tree: Tree) -> None:
    """A turn that is made again is told, and only what came after it stays."""
    provider = 'kind = "scripted"\nscript = "script.yaml"\nretry = {max = 1, backoff = "1ms"}'
    async with live(tree("- {error: 529}\n- {text: ok}\n", provider=provider), watch=False) as gateway:
        found = await frames(gateway)
    retry = json.loads(found[0])
    assert (retry["type"], retry["attempt"]) == ("stream_retry", 0)
    assert retry["error"].startswith("provider_overloaded: ")
    assert found[1] == b'{"type":"text_delta","text":"ok"}'


async def test_an_error(tree: Tree) -> None:
    """A failed run ends with one `error` frame of the form `code: message`."""
    async with live(tree("- {error: 400}\n"), watch=False) as gateway:
        found = await frames(gateway)
    assert len(found) == 1
    assert re.fullmatch(r"[a-z_]+: .+", json.loads(found[0])["error"])


async def test_the_turn_limit(tree: Tree) -> None:
    """At the limit the tools of the last turn have run, a note follows, and the stream completes."""
    async with live(tree("- {call: add, args: {a: 1, b: 1}}\n", max_turns=1), watch=False) as gateway:
        found = await frames(gateway)
    assert found[2:4] == [
        b'{"type":"max_turns_reached","turn_count":2,"max_turns":1}',
        b'{"type":"text_delta","text":"\\n\\n[Sub-agent reached maximum turn limit]"}',
    ]
    assert re.fullmatch(COMPLETE, found[4])
    assert len(found) == 5


async def test_the_head(tree: Tree) -> None:
    """The stream's headers are the contract's, and tell the run and the revision."""
    async with live(tree(), watch=False) as gateway:
        session = await gateway.session()
        session.messages.append({"role": "user", "content": "hi"})
        answer = await gateway.http.post("/api/chat", json={"messages": session.messages}, headers=session.headers)
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate"
    assert answer.headers["x-accel-buffering"] == "no"
    assert re.fullmatch("run_[0-9a-f]{32}", answer.headers["x-headgate-run"])
    assert answer.headers["x-headgate-revision"] == gateway.gateway.snapshot.revision
    assert "x-headgate-demo" not in answer.headers


async def test_a_demo_says_so(tree: Tree) -> None:
    """Answers of the scripted stand-in carry a header, and the status says it too."""
    async with live(tree(provider='kind = "auto"\nscript = "script.yaml"'), watch=False) as gateway:
        session = await gateway.session()
        answer = await gateway.http.post(
            "/api/chat", json={"messages": [{"role": "user", "content": "x"}]}, headers=session.headers
        )
        status = await gateway.get("/v1/status")
    assert answer.headers["x-headgate-demo"] == "scripted"
    assert status["demo"] is True


async def test_a_long_silence(tree: Tree) -> None:
    """While nothing happens, heartbeats show that the stream is alive."""
    async with live(
        tree("- {call: wait, args: {name: silence}}\n- {text: ok}\n"), watch=False, keepalive=0.02
    ) as gateway:
        session = await gateway.session()
        session.messages.append({"role": "user", "content": "hi"})
        async with session.stream() as events:
            while (await anext(events))["type"] != "tool_call_start":  # the beginning may take long, too
                pass
            found = [await anext(events) for _ in range(2)]
            workshop.gate("silence").set()
            rest = [event async for event in events]
    assert [each["type"] for each in found] == ["heartbeat", "heartbeat"]
    assert isinstance(found[1]["timestamp"], int)
    assert [each["type"] for each in rest if each["type"] != "heartbeat"][-1] == "stream_complete"


async def test_one_stream_a_session(tree: Tree) -> None:
    """While one connection streams another gets 409, whatever model it asks for; then the session is free."""
    async with live(tree("- {call: wait, args: {name: one}}\n- {text: ok}\n"), watch=False) as gateway:
        session = await gateway.session()
        session.messages.append({"role": "user", "content": "hi"})
        async with session.stream() as events:
            await anext(events)
            body = {"messages": session.messages, "model": "gpt-9"}
            answer = await gateway.http.post("/api/chat", json=body, headers=session.headers)
            workshop.gate("one").set()
            assert [event["type"] async for event in events][-1] == "stream_complete"
        again = await gateway.http.post("/api/chat", json=body, headers=session.headers)
    assert answer.content == b'{"detail":"A chat stream is already active for this session"}'
    assert (answer.status_code, again.status_code) == (409, 400)


async def left(gateway: Live, session: Conversation, gate: str) -> str:
    """Begins a run, leaves while its tool waits, and returns the run's id once nobody is seen listening."""
    session.messages.append({"role": "user", "content": "hi"})
    async with session.stream() as events:
        await anext(events)
    (run,) = gateway.gateway.edge.host.runs.values()
    await until(lambda: not run.watched)
    return run.id


async def ended(gateway: Live) -> None:
    """Waits until no run is in progress."""
    await until(lambda: not gateway.gateway.edge.host.runs)


async def test_a_client_that_leaves_stops_nothing(tree: Tree) -> None:
    """The run goes on without its client, and all its steps are committed."""
    async with live(tree("- {call: wait, args: {name: left}}\n- {text: ok}\n"), watch=False) as gateway:
        run = await left(gateway, await gateway.session(), "left")
        workshop.gate("left").set()
        await ended(gateway)
        ledger = gateway.gateway.edge.host.ledger
        record, steps = await ledger.run(run), await ledger.steps(run)
    assert record is not None
    assert (record.state, record.answer) == ("completed", "ok")
    assert [(step.kind, step.status) for step in steps] == [("model", "ok"), ("tool", "ok"), ("model", "ok")]


async def test_the_session_of_a_client_that_left_is_free(tree: Tree) -> None:
    """A new chat ends the run that nobody listens to, whose steps stay, and is answered."""
    script = "- {when: {user_contains: hi}, call: wait, args: {name: never}}\n- {text: Again}\n"
    async with live(tree(script), watch=False) as gateway:
        session = await gateway.session()
        run = await left(gateway, session, "never")
        session.messages.append({"role": "user", "content": "and now?"})
        async with session.stream() as events:
            found = [event async for event in events]
        ledger = gateway.gateway.edge.host.ledger
        record, steps = await ledger.run(run), await ledger.steps(run)
    assert [each["type"] for each in found] == ["text_delta", "stream_complete"]
    assert record is not None
    assert record.state == "cancelled"
    assert [step.status for step in steps] == ["ok", "cancelled"]


async def test_cancel_after(tree: Tree) -> None:
    """An agent may want its run to end when nobody has been listening for a while."""
    path = tree("- {call: wait, args: {name: never2}}\n", on_disconnect={"cancel_after": "1ms"})
    async with live(path, watch=False) as gateway:
        run = await left(gateway, await gateway.session(), "never2")
        await ended(gateway)
        record = await gateway.gateway.edge.host.ledger.run(run)
    assert record is not None
    assert (record.state, record.outcome) == ("cancelled", "cancelled")


async def test_the_run_s_time_limit(tree: Tree) -> None:
    """A run that takes too long is cut off; its running call is told to have ended, then the error."""
    async with live(tree("- {call: wait, args: {name: never3}}\n", timeout="2s"), watch=False) as gateway:
        found: list[dict[str, Any]] = [json.loads(frame) for frame in await frames(gateway)]
    assert [each["type"] for each in found] == ["tool_call_start", "tool_call_complete", "error"]
    assert found[1]["error"]["code"] == "cancelled"
    assert found[2]["error"] == "run_timeout: the run did not end within 2 s"
