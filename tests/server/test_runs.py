"""Runs by their native routes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.core.events import ApprovalRequested
from headgate.testing.harness import live
from tests import workshop
from tests.conftest import Tree
from tests.server.native import ASK, CALL, HELD, Caller, at_gate, settled
from tests.waiting import until


async def test_a_run(tree: Tree) -> None:
    """A run that is begun goes on by itself, and says what it was asked, what it answered and what it took."""
    async with live(tree(CALL), watch=False) as gateway:
        caller = Caller(gateway)
        answer = await caller.send("POST", "/v1/runs", {"message": "add", "agent": "helper"})
        begun = answer.json()
        await settled(gateway)
        run = await caller.ask("GET", answer.headers["location"])
    assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/runs/{begun['id']}")
    assert answer.headers["x-headgate-run"] == begun["id"]
    assert (begun["state"], begun["waits"], begun["principal"]) == ("running", [], "tester")
    assert (run["state"], run["outcome"], run["error"]) == ("completed", "success", None)
    assert (run["message"], run["answer"], run["steps"], run["turns"]) == ("add", "Done", 3, 2)
    assert run["usage"]["output"] > 0
    assert run["created_at"] <= run["ended_at"]
    assert run["links"]["events"] == f"/v1/runs/{run['id']}/events"


async def test_the_steps_of_a_run(tree: Tree) -> None:
    """Model turns and tool calls come in order, with arguments and results, in pages."""
    async with live(tree(CALL), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        await settled(gateway)
        first = await caller.ask("GET", f"/v1/runs/{run}/steps?limit=2")
        rest = await caller.ask("GET", f"/v1/runs/{run}/steps?limit=2&cursor={first['next']}")
    steps = first["items"] + rest["items"]
    assert [(each["n"], each["kind"], each["name"]) for each in steps] == [
        (1, "model", "scripted"), (2, "tool", "add"), (3, "model", "scripted"),
    ]  # fmt: skip
    assert (steps[1]["args"], steps[1]["result"]["structured"]) == ({"a": 1, "b": 2}, {"sum": 3})
    assert rest["next"] is None


async def test_a_conversation_whole(tree: Tree) -> None:
    """Instead of one message a run can begin with several."""
    said = [("user", "my name is Ann"), ("assistant", "Hello Ann"), ("user", "who am I?")]
    async with live(tree(), watch=False) as gateway:
        caller = Caller(gateway)
        body = {"messages": [{"role": role, "content": text} for role, text in said]}
        run = await caller.ask("POST", "/v1/runs", body, 201)
        exchange = (await gateway.gateway.edge.host.ledger.load(run["id"])).conversation[-1]  # type: ignore[union-attr]
    assert run["message"] == "who am I?"
    assert [(each.role, each.text) for each in exchange.posted] == said


async def test_how_a_run_is_shaped(tree: Tree) -> None:
    """Model, channel, profile, input and time are kept with the run."""
    async with live(tree(profiles={"short": {"max_turns": 1}}, channels={"slack": {}}), watch=False) as gateway:
        caller = Caller(gateway)
        shaped = {"channel": "slack", "profile": "short", "input": {"x": 1}, "model": "scripted", "timeout_ms": 5000}
        run = await caller.ask("GET", f"/v1/runs/{await caller.begin(**shaped)}")
        unknown = await caller.code("POST", "/v1/runs", {"message": "x", "profile": "none"})
    assert (run["channel"], run["profile"], run["input"], run["model"]) == ("slack", "short", {"x": 1}, "scripted")
    assert unknown == (422, "invalid_profile")


async def test_lists_in_pages(tree: Tree) -> None:
    """Lists are newest first, and all pages together hold everything once."""
    async with live(tree(), watch=False) as gateway:
        caller = Caller(gateway)
        runs = [await caller.begin() for _ in range(5)]
        await settled(gateway)
        found: list[str] = []
        path = "/v1/runs?limit=2"
        page = await caller.ask("GET", path)
        while page["next"]:
            found += [each["id"] for each in page["items"]]
            page = await caller.ask("GET", f"{path}&cursor={page['next']}")
        found += [each["id"] for each in page["items"]]
    assert found == runs[::-1]


async def test_lists_are_filtered(tree: Tree) -> None:
    """By agent, session and state."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        caller = Caller(gateway)
        session = (await caller.ask("POST", "/v1/sessions", status=201))["session_id"]
        waiting, _ = await caller.waiting(session_id=session)
        async with asyncio.timeout(60):
            await caller.ask("POST", f"/v1/runs/{await caller.begin()}/cancel")
        await settled(gateway)
        found = {
            query: [each["id"] for each in (await caller.ask("GET", f"/v1/runs?{query}"))["items"]]
            for query in ("state=waiting", f"session_id={session}", "agent=helper", "agent=other", "state=completed")
        }
    assert found["state=waiting"] == found[f"session_id={session}"] == [waiting]
    assert len(found["agent=helper"]) == 2
    assert found["agent=other"] == found["state=completed"] == []


BAD_LISTS = [
    ("limit=0", "limit"), ("limit=201", "limit"), ("limit=x", "limit"), ("state=odd", "state"), ("cursor=!", None),
    ("cursor=WzEsMV0", None), ("cursor=WzFlOTksIiJd", None), ("cursor=eA", None),
]  # fmt: skip


@pytest.mark.parametrize(("query", "parameter"), BAD_LISTS)
async def test_queries_that_cannot_be_read(tree: Tree, query: str, parameter: str | None) -> None:
    """What is wrong with a query is named."""
    async with live(tree(), watch=False) as gateway:
        body = await Caller(gateway).ask("GET", f"/v1/runs?{query}", status=422)
    assert body["error"]["code"] == ("invalid_request" if parameter else "invalid_cursor")
    assert [each["parameter"] for each in body.get("errors", [])] == ([parameter] if parameter else [])


BAD_BODIES: list[tuple[Any, list[str]]] = [
    ({}, ["#"]),
    ({"message": "x", "messages": []}, ["#/messages"]),
    ({"message": "x", "messages": [{"role": "user", "content": "x"}]}, ["#"]),
    ({"message": " \n "}, ["#/message"]),
    ({"message": 1, "model": 2, "timeout_ms": "5", "agnet": 1}, ["#/agnet", "#/message", "#/model", "#/timeout_ms"]),
    ({"messages": [{"role": "odd", "content": "x"}, {"role": "user"}]}, ["#/messages/0/role", "#/messages/1/content"]),
    ({"messages": [{"role": "assistant", "content": "x"}]}, ["#"]),
    ({"message": "x", "timeout_ms": 999, "in~p/ut": 1}, ["#/in~0p~1ut", "#/timeout_ms"]),
    ([], ["#"]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "places"), BAD_BODIES)
async def test_bodies_that_cannot_be_read(tree: Tree, body: Any, places: list[str]) -> None:
    """Every place that is wrong is listed."""
    async with live(tree(), watch=False) as gateway:
        found = await Caller(gateway).ask("POST", "/v1/runs", body, 422)
        assert not gateway.gateway.edge.host.runs
    assert found["error"]["code"] == "invalid_request"
    assert sorted(each["pointer"] for each in found["errors"]) == places
    assert all(each["detail"] for each in found["errors"])


@pytest.mark.parametrize("raw", [b"", b"{", b'{"message": "\xff"}', b'{"message": "\\ud800"}', b"[" * 5000])
async def test_bodies_that_are_no_json(tree: Tree, raw: bytes) -> None:
    """What is no JSON is a problem, and no crash."""
    async with live(tree(), watch=False) as gateway:
        answer = await gateway.http.post("/v1/runs", content=raw, headers=dict(gateway.headers))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#")


async def test_input_that_does_not_fit(tree: Tree) -> None:
    """The agent's own schema of its input counts, on every route that takes one."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    async with live(tree(input=schema), watch=False) as gateway:
        for path in ("/v1/runs", "/v1/agents/helper/invoke", "/v1/agents/helper/chat"):
            found = await Caller(gateway).ask("POST", path, {"message": "x"}, 422)
            assert found["errors"] == [{"detail": "'n' is a required property", "pointer": "#/input"}]
        assert (await Caller(gateway).ask("GET", "/v1/sessions"))["items"] == []


async def test_a_running_run_is_cancelled(tree: Tree) -> None:
    """A tool that is running is cut off, the run ends, and a second wish comes too late."""
    async with live(tree(HELD), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        following = asyncio.create_task(caller.told(run))
        await at_gate("held")
        done = await caller.ask("POST", f"/v1/runs/{run}/cancel")
        told = await asyncio.wait_for(following, 60)
        late = await caller.code("POST", f"/v1/runs/{run}/cancel")
        state = await caller.state(run)
    assert done == {"run_id": run, "execution_id": run, "status": "cancel_requested"}
    assert [each.event for each in told[-2:]] == ["tool.completed", "run.cancelled"]
    assert told[-2].data["result"]["status"] == "cancelled"
    assert told[-1].data["reason"] == "key 'tester' cancelled the run"
    assert (state, late) == ("cancelled", (409, "invalid_state"))


async def test_a_model_call_is_cancelled(tree: Tree) -> None:
    """A model that is asked and does not answer does not keep the run from ending."""
    async with live(tree("- {text: never said, delay: 1h}\n"), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        following = asyncio.create_task(caller.told(run))
        await until(lambda: gateway.gateway.edge.host.streams.count("tester"))
        await caller.ask("POST", f"/v1/runs/{run}/cancel")
        told = await asyncio.wait_for(following, 60)
    assert [each.event for each in told] == ["run.started", "run.cancelled"]


async def test_a_waiting_run_is_cancelled(tree: Tree) -> None:
    """A run that waits ends at once, its question with it, and who follows it is told."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        following = asyncio.create_task(caller.told(run))
        await until(lambda: gateway.gateway.edge.host.streams.count("tester"))
        done = await caller.ask("POST", f"/v1/runs/{run}/cancel")
        told = await asyncio.wait_for(following, 60)
        settled_wait = await caller.ask("GET", f"/v1/approvals/{wait['id']}")
        late = await caller.code("POST", f"/v1/approvals/{wait['id']}", {"decision": "approve"})
    assert done["status"] == "cancelled"
    assert [each.event for each in told[-3:]] == ["approval.resolved", "tool.completed", "run.cancelled"]
    assert (told[-3].data["state"], told[-2].data["result"]["status"]) == ("cancelled", "cancelled")
    assert settled_wait["state"] == "cancelled"
    assert late == (409, "already_resolved")


async def test_a_call_that_waits_beside_one_that_is_made(tree: Tree) -> None:
    """Each call that was begun has its end, whatever it was doing when its run was cancelled."""
    script = "- calls: [{call: add, args: {a: 1, b: 2}}, {call: wait, args: {name: held}}]\n- {text: Done}\n"
    async with live(tree(script, toml=ASK), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        await at_gate("held")
        (live_run,) = gateway.gateway.edge.host.runs.values()
        await until(lambda: any(isinstance(each, ApprovalRequested) for each in live_run.log.events))
        await caller.ask("POST", f"/v1/runs/{run}/cancel")
        told = await caller.told(run)
        again = await caller.ask("GET", f"/v1/runs/{run}/steps")
    ends = {each.data["name"]: each.data["result"]["status"] for each in told if each.event == "tool.completed"}
    assert ends == {"add": "cancelled", "wait": "cancelled"}
    assert told[-1].event == "run.cancelled"
    assert sorted(each["status"] for each in again["items"] if each["kind"] == "tool") == ["cancelled", "cancelled"]


async def test_limits_hold(tree: Tree) -> None:
    """Too many runs or streams are refused before anything begins, with `Retry-After`."""
    limits = "[limits]\nruns_per_key = 1\n[server.limits]\nstreams_per_key = 1\n"
    async with live(tree(HELD, toml=limits), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        crowded = await caller.send("POST", "/v1/runs", {"message": "x"})
        await at_gate("held")
        async with caller.follow(run) as events:
            await anext(events)
            second = await caller.send("GET", f"/v1/runs/{run}/events", accept="text/event-stream")
            invoked = await caller.send("POST", "/v1/agents/helper/invoke", {"message": "x"})
        workshop.gate("held").set()
        await settled(gateway)
        count = len((await caller.ask("GET", "/v1/runs"))["items"])
    codes = [(each.status_code, each.json()["error"]["code"]) for each in (crowded, second, invoked)]
    assert codes == [(429, "too_many_runs"), (429, "too_many_streams"), (429, "too_many_streams")]
    assert all(each.headers["retry-after"] == "1" for each in (crowded, second, invoked))
    assert count == 1


async def test_what_waits_is_counted(tree: Tree) -> None:
    """The status says how many questions are open."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        caller = Caller(gateway)
        before = (await caller.ask("GET", "/v1/status"))["waiting"]
        await caller.waiting()
        after = (await caller.ask("GET", "/v1/status"))["waiting"]
    assert (before, after) == (0, 1)
