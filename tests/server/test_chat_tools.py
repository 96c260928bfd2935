"""Approvals and client tools of the compatible chat API: the frames, and the answers to them."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from headgate.testing.harness import Conversation, Live, live
from tests.conftest import Tree
from tests.server.native import ASK, CALL, KEYS, PICK, REMEMBER, Caller, settled
from tests.waiting import until

APPROVAL, RESULT = "/api/chat/tool-approval", "/api/chat/tool-result"
PICKS = "- calls: [{call: pick, args: {}}, {call: pick, args: {}}, {call: pick, args: {}}]\n- {text: ok}\n"
NOBODY = "0" * 16


async def post(session: Conversation, path: str, frame: dict[str, Any], **body: Any) -> httpx2.Response:
    """Answers the question of a frame."""
    known = {"tool_call_id": frame["tool_call_id"], "nonce": frame["nonce"], **body}
    return await session.http.post(path, json=known, headers=session.headers)


async def answer(session: Conversation, path: str, frame: dict[str, Any], **body: Any) -> tuple[int, Any]:
    """Status and body of the answer."""
    got = await post(session, path, frame, **body)
    return got.status_code, got.json()


@contextlib.asynccontextmanager
async def asked(session: Conversation, count: int = 1) -> AsyncIterator[tuple[Any, list[dict[str, Any]]]]:
    """A chat that goes on while the block runs: its events, and the first questions among them."""
    session.messages.append({"role": "user", "content": "hi"})
    async with session.stream() as events:
        questions: list[dict[str, Any]] = []
        while len(questions) < count:
            event = await anext(events)
            questions += [event] if event["type"].endswith("_request") else []
        yield events, questions


async def rest(events: Any) -> list[dict[str, Any]]:
    """What the stream still tells, but for heartbeats."""
    return [event async for event in events if event["type"] != "heartbeat"]


async def test_an_approval(tree: Tree) -> None:
    """The request stands between start and completion, with the members of the contract; the run waits as long."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        session = await gateway.session()
        async with asked(session) as (events, (frame,)):
            await until(lambda: not gateway.gateway.edge.host.runs)
            assert await answer(session, APPROVAL, frame, approved=True) == (200, {"status": "ok"})
            after = await rest(events)
    assert list(frame) == [
        "type", "tool_call_id", "nonce", "expires_at", "tool_name", "tool_input", "resolved_qualifier",
    ]  # fmt: skip
    assert re.fullmatch("[0-9a-f]{16}", frame["nonce"])
    assert isinstance(frame["expires_at"], int)
    assert (frame["tool_name"], frame["tool_input"], frame["resolved_qualifier"]) == ("add", {"a": 1, "b": 2}, None)
    assert [each["type"] for each in after] == ["tool_call_complete", "text_delta", "stream_complete"]
    assert after[0]["result"] == {"sum": 3}


async def test_a_denial(tree: Tree) -> None:
    """The call completes with the error `user_denied`, and the model goes on."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        session = await gateway.session()
        async with asked(session) as (events, (frame,)):
            assert await answer(session, APPROVAL, frame, approved=False) == (200, {"status": "ok"})
            after = await rest(events)
    assert (after[0]["result"], after[0]["error"]["code"]) == (None, "user_denied")
    assert after[-1]["type"] == "stream_complete"


async def test_refusals_of_approvals(tree: Tree) -> None:
    """Call, state, nonce: what is wrong is told in this order, in the contract's words."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        session, stranger = await gateway.session(), await gateway.session()
        async with asked(session) as (events, (frame,)):
            unknown = await answer(session, APPROVAL, {**frame, "tool_call_id": "other"}, approved=True)
            foreign = await answer(stranger, APPROVAL, frame, approved=True)
            state = await answer(session, RESULT, {**frame, "nonce": NOBODY}, result={})
            nonce = await answer(session, APPROVAL, {**frame, "nonce": NOBODY}, approved=True)
            odd = await answer(session, APPROVAL, {**frame, "nonce": "é\u0000"}, approved=True)
            assert (await answer(session, APPROVAL, frame, approved=True))[0] == 200
            await rest(events)
        twice = await answer(session, APPROVAL, {**frame, "nonce": NOBODY}, approved=True)
    assert unknown == foreign == (404, {"error": "Unknown tool_call_id"})
    assert state == (409, {"error": "Invalid pending tool state for result submission"})
    assert nonce == odd == (409, {"error": "Nonce mismatch"})
    assert twice == (409, {"error": "Approval already submitted"})


async def test_many_answers_at_once(tree: Tree) -> None:
    """One of them counts."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        session = await gateway.session()
        async with asked(session) as (events, (frame,)):
            posts = [answer(session, APPROVAL, frame, approved=bool(n % 2)) for n in range(6)]
            answers = await asyncio.gather(*posts)
            await rest(events)
    assert sorted(status for status, _ in answers) == [200, 409, 409, 409, 409, 409]
    assert [body for status, body in answers if status == 409] == [{"error": "Approval already submitted"}] * 5


@pytest.mark.parametrize("kind", ["approval", "client"])
async def test_answers_that_come_too_late(tree: Tree, kind: str) -> None:
    """After its time a question is gone, but who does not know the nonce does not learn that."""
    pick = {"tools/pick.yaml": "kind: client\ndescription: Lets the person pick.\nexpires: 20ms\n"}
    if kind == "approval":
        path, late, body = APPROVAL, "Tool approval expired", {"approved": True}
        root = tree(CALL, toml=ASK + 'timeout = "20ms"\n')
    else:
        path, late, body = RESULT, "Tool call expired", {"result": {}}
        root = tree("- {call: pick, args: {}}\n- {text: ok}\n", files=pick)
    async with live(root, watch=False) as gateway:
        session = await gateway.session()
        async with asked(session) as (events, (frame,)):
            after = await rest(events)
        mismatch = await answer(session, path, {**frame, "nonce": NOBODY}, **body)
        found = await answer(session, path, frame, **body)
    assert after[0]["error"]["code"] == ("approval_timeout" if kind == "approval" else "tool_timeout")
    assert mismatch == (409, {"error": "Nonce mismatch"})
    assert found == (410, {"error": late})


async def test_the_question_of_a_run_that_was_cancelled(tree: Tree) -> None:
    """Nobody is there to hear the answer any more."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        session = await gateway.session()
        async with asked(session) as (events, (frame,)):
            (run,) = (await Caller(gateway).ask("GET", "/v1/runs"))["items"]
            await Caller(gateway).ask("POST", f"/v1/runs/{run['id']}/cancel")
            after = await rest(events)
        found = await answer(session, APPROVAL, frame, approved=True)
    assert after[-1]["error"] == "cancelled: key 'tester' cancelled the run"
    assert found == (404, {"error": "Missing approval queue for tool call"})


async def test_allow_tool_type(tree: Tree) -> None:
    """The answer holds for the session where the policy lets it, and for no other session."""
    async with live(tree(CALL, toml=REMEMBER), watch=False) as gateway:
        session, other = await gateway.session(), await gateway.session()
        async with asked(session) as (events, (frame,)):
            assert (await answer(session, APPROVAL, frame, approved=True, allow_tool_type=True))[0] == 200
            await rest(events)
        free = await session.say("again")
        async with asked(other) as (events, (frame,)):
            assert (await answer(other, APPROVAL, frame, approved=False, allow_tool_type=True))[0] == 200
            await rest(events)
        grants = [await Caller(gateway).ask("GET", f"/v1/sessions/{each.id}/grants") for each in (session, other)]
    assert "tool_approval_request" not in {each["type"] for each in free}
    assert [len(each) for each in grants] == [1, 0]


async def test_allow_tool_type_where_the_policy_does_not(tree: Tree) -> None:
    """Then the answer counts once."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        session = await gateway.session()
        for _ in range(2):
            async with asked(session) as (events, (frame,)):
                assert (await answer(session, APPROVAL, frame, approved=True, allow_tool_type=True))[0] == 200
                await rest(events)


async def test_approvers(tree: Tree) -> None:
    """Where a policy names approvers, the chat that asked may not answer itself."""
    toml = ASK + 'approvers = ["supervisors"]\n' + KEYS
    async with live(tree(CALL, toml=toml), watch=False) as gateway:
        session = await gateway.session()
        async with asked(session) as (_, (frame,)):
            wrong = await answer(session, APPROVAL, {**frame, "nonce": NOBODY}, approved=True)
            status, body = await answer(session, APPROVAL, frame, approved=True)
    assert wrong == (409, {"error": "Nonce mismatch"})
    assert (status, list(body)) == (403, ["detail"])
    assert "supervisors" in body["detail"]


async def test_client_tools_never_swap(tree: Tree) -> None:
    """Several calls wait at once, and each has the result that was posted for it, whatever the order."""
    async with live(tree(PICKS, files=PICK), watch=False) as gateway:
        session = await gateway.session()
        async with asked(session, 3) as (events, frames):
            for frame in reversed(frames):
                result = {"for": frame["tool_call_id"]}
                assert await answer(session, RESULT, frame, result=result) == (200, {"status": "ok"})
                assert (await answer(session, RESULT, frame, result={}))[1] == {"error": "Result already submitted"}
            after = await rest(events)
    assert list(frames[0]) == [
        "type", "tool_call_id", "nonce", "expires_at", "tool_name", "tool_input", "display",
    ]  # fmt: skip
    assert len({frame["nonce"] for frame in frames}) == 3
    done = [each for each in after if each["type"] == "tool_call_complete"]
    assert len(done) == 3
    assert all(each["result"] == {"for": each["tool_call_id"]} for each in done)


ERRORS: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"code": "no_screen", "message": "Nobody is there."}, {"code": "no_screen", "message": "Nobody is there."}),
    ({"message": "Nobody is there."}, {"code": "tool_error", "message": "Nobody is there."}),
    ({"code": "NOT A CODE", "why": [1]}, {"code": "tool_error", "message": '{"code":"NOT A CODE","why":[1]}'}),
    ({"code": 5, "message": ""}, {"code": "tool_error", "message": '{"code":5,"message":""}'}),
]


@pytest.mark.parametrize(("error", "shown"), ERRORS)
async def test_errors_of_front_ends(tree: Tree, error: dict[str, Any], shown: dict[str, str]) -> None:
    """Whatever a front end says went wrong, the model reads it as the call's error."""
    async with live(tree("- {call: pick, args: {}}\n- {text: ok}\n", files=PICK), watch=False) as gateway:
        session = await gateway.session()
        async with asked(session) as (events, (frame,)):
            wrong = await answer(session, APPROVAL, frame, approved=True)
            assert (await answer(session, RESULT, frame, error=error))[0] == 200
            after = await rest(events)
    assert wrong == (409, {"error": "Invalid pending tool state for approval submission"})
    assert (after[0]["result"], after[0]["error"]) == (None, shown)


async def test_answers_after_a_restart(tree: Tree) -> None:
    """The token, the nonce and the question outlive the process, and the answer sets the run going again."""
    root = tree(CALL, toml=ASK)
    async with live(root, watch=False) as gateway:
        session = await gateway.session()
        async with asked(session) as (_, (frame,)):
            await settled(gateway)
    async with live(root, watch=False) as gateway:
        again = Conversation(gateway.http, session.token, session.id)
        assert await answer(again, APPROVAL, frame, approved=True) == (200, {"status": "ok"})
        (run,) = (await Caller(gateway).ask("GET", "/v1/runs"))["items"]
        told = await Caller(gateway).told(run["id"])
    assert told[-1].event == "run.completed"


async def left(gateway: Live, session: Conversation) -> tuple[str, dict[str, Any]]:
    """A run that waits and that nobody follows any more, and its question."""
    async with asked(session) as (_, (frame,)):
        await settled(gateway)
    (run,) = (await Caller(gateway).ask("GET", "/v1/runs?state=waiting"))["items"]
    await until(lambda: not gateway.gateway.edge.host.streams.count("tester"))
    return str(run["id"]), frame


async def test_a_chat_on_a_waiting_run(tree: Tree) -> None:
    """While the connection that waits is open a chat is 409; when it is gone the next chat ends the run."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        session = await gateway.session()
        async with asked(session):
            await settled(gateway)
            busy = await gateway.http.post("/api/chat", json={"messages": session.messages}, headers=session.headers)
        await until(lambda: not gateway.gateway.edge.host.streams.count("tester"))
        (run,) = (await Caller(gateway).ask("GET", "/v1/runs"))["items"]
        session.messages = []
        async with asked(session) as (_, (frame,)):
            ended = await Caller(gateway).ask("GET", f"/v1/runs/{run['id']}")
            assert frame["tool_name"] == "add"
    assert busy.status_code == 409
    assert (ended["state"], ended["waits"]) == ("cancelled", [])


async def test_a_run_goes_on_without_its_client(tree: Tree) -> None:
    """A client that left may still answer, and the run goes on to its end."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        session = await gateway.session()
        run, frame = await left(gateway, session)
        assert await answer(session, APPROVAL, frame, approved=True) == (200, {"status": "ok"})
        told = await Caller(gateway).told(run)
    assert told[-1].event == "run.completed"
