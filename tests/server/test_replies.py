"""What is no approval, answered natively: results of front ends, and what became of calls that were cut off."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.testing.harness import live
from tests import workshop
from tests.conftest import Tree
from tests.server.native import HELD, PICK, Caller, at_gate

PICKS = "- calls: [{call: pick, args: {}}, {call: pick, args: {}}, {call: pick, args: {}}]\n- {text: '{{ result }}'}\n"


async def test_client_tools_never_swap(tree: Tree) -> None:
    """Results of several calls of a turn go to the call that they are for, in whatever order they come."""
    async with live(tree(PICKS, files=PICK), watch=False) as gateway:
        caller = Caller(gateway)
        run, waits = await caller.waiting()
        for wait in sorted(waits, key=lambda each: each["call_id"], reverse=True):
            await caller.ask("POST", f"/v1/waits/{wait['id']}/answer", {"result": {"for": wait["call_id"]}})
        told = await caller.told(run)
        found = await caller.ask("GET", f"/v1/waits?run={run}")
    results = {each.data["call_id"]: each.data["result"] for each in told if each.event == "tool.completed"}
    assert len(results) == 3
    assert {call: result["structured"] for call, result in results.items()} == {call: {"for": call} for call in results}
    assert {each["state"] for each in found["items"]} == {"answered"}
    assert {each["kind"] for each in found["items"]} == {"client_tool"}


async def test_a_front_end_that_cannot(tree: Tree) -> None:
    """An error of a front end is the call's error, and null is a result."""
    script = "- calls: [{call: pick, args: {}}, {call: pick, args: {}}]\n- {text: ok}\n"
    async with live(tree(script, files=PICK), watch=False) as gateway:
        caller = Caller(gateway)
        run, (one, two) = await caller.waiting()
        error = {"code": "no_screen", "message": "Nobody is there."}
        await caller.ask("POST", f"/v1/waits/{one['id']}/answer", {"error": error})
        await caller.ask("POST", f"/v1/waits/{two['id']}/answer", {"result": None})
        second = await caller.code("POST", f"/v1/waits/{two['id']}/answer", {"result": 1})
        results = {e.data["call_id"]: e.data["result"] for e in await caller.told(run) if e.event == "tool.completed"}
    assert results[one["call_id"]]["error"] == {**error, "retryable": False, "details": {}}
    assert (results[two["call_id"]]["status"], results[two["call_id"]]["structured"]) == ("ok", None)
    assert second == (409, "already_resolved")


WRONG: list[dict[str, Any]] = [{}, {"result": 1, "error": {"message": "x"}}, {"decision": "done"}, {"error": None}]


@pytest.mark.parametrize("body", WRONG)
async def test_answers_of_another_kind(tree: Tree, body: dict[str, Any]) -> None:
    """A client tool takes a result or an error, an approval neither; the question stays open."""
    async with live(tree(PICKS, files=PICK), watch=False) as gateway:
        caller = Caller(gateway)
        _, (wait, *_rest) = await caller.waiting()
        path = f"/v1/waits/{wait['id']}"
        assert await caller.code("POST", f"{path}/answer", body) == (422, "wrong_answer")
        assert await caller.code("GET", f"/v1/approvals/{wait['id']}") == (404, "approval_not_found")
        refused = await caller.code("POST", f"/v1/approvals/{wait['id']}", {"decision": "approve"})
        assert refused == (404, "approval_not_found")
        assert (await caller.ask("GET", path))["state"] == "pending"


async def cut_off(tree: Tree) -> Any:
    """A tree whose ledger holds a run that was cut off in the middle of a call that must not be made twice."""
    root = tree(HELD)
    async with live(root, watch=False) as gateway:
        await Caller(gateway).begin()
        await at_gate("held")
    workshop.entered.clear()
    return root


OUTCOMES: list[tuple[dict[str, Any], str, Any, list[str]]] = [
    ({"decision": "done", "result": {"sent": 1}}, "ok", {"sent": 1}, []),
    ({"decision": "failed", "reason": "It was not sent."}, "error", None, []),
    ({"decision": "retry"}, "ok", None, ["held"]),
]


@pytest.mark.parametrize(("body", "status", "structured", "entered"), OUTCOMES)
async def test_an_unknown_outcome(
    tree: Tree, body: dict[str, Any], status: str, structured: Any, entered: list[str]
) -> None:
    """Of a call that was cut off a person says what became of it; only `retry` makes it again."""
    workshop.gate("held")
    async with live(await cut_off(tree), watch=False) as gateway:
        workshop.gate("held").set()
        caller = Caller(gateway)
        (run,) = (await caller.ask("GET", "/v1/runs"))["items"]
        async with caller.follow(run["id"]) as events:
            while (await anext(events)).event != "run.waiting":
                pass
        (wait,) = (await caller.ask("GET", "/v1/waits?state=pending"))["items"]
        wrong = await caller.code("POST", f"/v1/waits/{wait['id']}/answer", {"result": 1})
        await caller.ask("POST", f"/v1/waits/{wait['id']}/answer", body)
        told = await caller.told(wait["run"])
    result = next(each.data["result"] for each in told if each.event == "tool.completed")
    assert (wait["kind"], wait["tool"], wrong) == ("unknown_outcome", "wait", (422, "wrong_answer"))
    assert (result["status"], result["structured"]) == (status, structured)
    assert workshop.entered == entered
    assert told[-1].event == "run.completed"
