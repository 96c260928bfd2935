"""What runs wait for, listed and answered natively."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.testing.harness import live
from tests.conftest import Tree
from tests.server.native import (
    ASK,
    CALL,
    DESK,
    KEYS,
    LEAD,
    OTHER,
    REMEMBER,
    Caller,
    settled,
)
from tests.waiting import until

APPROVE, DENY = {"decision": "approve"}, {"decision": "deny"}
LED = ASK + 'approvers = ["supervisors"]\n' + KEYS


async def test_an_approval(tree: Tree) -> None:
    """What is asked is shown in full, without the nonce, and says afterwards who answered."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        listed = await caller.ask("GET", f"/v1/approvals?state=pending&run={run}")
        one = await caller.ask("GET", f"/v1/approvals/{wait['id']}")
        done = await caller.ask("POST", f"/v1/approvals/{wait['id']}", {**APPROVE, "reason": "fine"})
        told = await caller.told(run)
    assert listed == {"items": [one], "next": None}
    assert one == wait
    expected = {
        "kind": "approval", "state": "pending", "run": run, "session": None, "agent": "helper", "tool": "add",
        "args": {"a": 1, "b": 2}, "policy": "gate", "requested_by": "tester", "approvers": [], "quorum": 1,
        "votes": [], "revision": 1,
    }  # fmt: skip
    assert expected.items() <= one.items()
    assert one["shown"] == [{"label": "a", "value": 1}, {"label": "b", "value": 2}]
    assert "nonce" not in one
    assert done["state"] == "approved"
    assert [(each["by"], each["decision"], each["reason"]) for each in done["votes"]] == [("tester", "approve", "fine")]
    assert [each.event for each in told if each.event.startswith(("approval", "run"))] == [
        "run.started", "approval.requested", "run.waiting", "run.resumed", "approval.resolved", "run.completed",
    ]  # fmt: skip
    assert next(each.data["result"]["structured"] for each in told if each.event == "tool.completed") == {"sum": 3}


async def test_a_denial(tree: Tree) -> None:
    """The model reads the reason, the call is not made, and the run goes on."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        await caller.ask("POST", f"/v1/approvals/{wait['id']}", {**DENY, "reason": "not today"})
        told = await caller.told(run)
    result = next(each.data["result"] for each in told if each.event == "tool.completed")
    assert (result["status"], result["error"]["code"]) == ("denied", "user_denied")
    assert result["error"]["message"].endswith("not today")
    assert told[-1].event == "run.completed"


async def test_the_first_answer_counts(tree: Tree) -> None:
    """Of many that answer at once, one is heard, and the others are told."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        caller = Caller(gateway)
        _, (wait,) = await caller.waiting()
        path = f"/v1/approvals/{wait['id']}"
        answers = await asyncio.gather(*(caller.send("POST", path, APPROVE if n % 2 else DENY) for n in range(6)))
        found = await caller.ask("GET", path)
    assert sorted(each.status_code for each in answers) == [200, 409, 409, 409, 409, 409]
    assert {each.json()["error"]["code"] for each in answers if each.status_code == 409} == {"already_resolved"}
    assert len(found["votes"]) == 1


async def test_an_answer_that_comes_too_late(tree: Tree) -> None:
    """When nobody answers in time the model is told, and an answer is refused."""
    async with live(tree(CALL, toml=ASK + 'timeout = "20ms"\n'), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        told = await caller.told(run)
        (wait,) = (await caller.ask("GET", "/v1/approvals"))["items"]
        late = await caller.code("POST", f"/v1/approvals/{wait['id']}", APPROVE)
    result = next(each.data["result"] for each in told if each.event == "tool.completed")
    assert (result["status"], result["error"]["code"]) == ("expired", "approval_timeout")
    assert (wait["state"], late) == ("expired", (410, "expired"))


async def test_a_remembered_approval(tree: Tree) -> None:
    """Where the policy lets it, later calls of the session are not asked about, until that is taken back."""
    async with live(tree(CALL, toml=REMEMBER), watch=False) as gateway:
        caller = Caller(gateway)
        session = (await caller.ask("POST", "/v1/sessions", status=201))["session_id"]
        run, (wait,) = await caller.waiting(session_id=session)
        await caller.ask("POST", f"/v1/approvals/{wait['id']}", {**APPROVE, "remember": True})
        assert (await caller.told(run))[-1].event == "run.completed"
        free = await caller.told(await caller.begin(session_id=session))
        grants = await caller.ask("GET", f"/v1/sessions/{session}/grants")
        kept = await caller.ask("DELETE", f"/v1/sessions/{session}/grants?tool=wait")
        revoked = await caller.ask("DELETE", f"/v1/sessions/{session}/grants?tool=add")
        await settled(gateway)
        again, _ = await caller.waiting(session_id=session)
        elsewhere, _ = await caller.waiting()
    assert "approval.requested" not in {each.event for each in free}
    assert [(each["policy"], each["tool"], each["granted_by"]) for each in grants] == [("gate", "add", "tester")]
    assert (kept, revoked) == ({"revoked": 0}, {"revoked": 1})
    assert again != elsewhere


async def test_what_cannot_be_remembered(tree: Tree) -> None:
    """An answer is refused, rather than taken for less than it says."""
    async with live(tree(CALL, toml=REMEMBER), watch=False) as gateway:
        caller = Caller(gateway)
        _, (wait,) = await caller.waiting()
        path = f"/v1/approvals/{wait['id']}"
        found = [await caller.code("POST", path, {**each, "remember": True}) for each in (APPROVE, DENY)]
        state = (await caller.ask("GET", path))["state"]
    assert found == [(422, "not_rememberable")] * 2
    assert state == "pending"


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({}, "#/decision", "Field required"),
    ({"decision": "maybe"}, "#/decision", "Input should be"),
    ({**APPROVE, "edited_args": [2]}, "#/edited_args", "Input should be"),
    ({**APPROVE, "edited_args": {"a": "x", "b": 2}}, "#/edited_args/a", "'x' is not of type"),
    ({**APPROVE, "quorum": 2}, "#/quorum", "Extra inputs"),
    ({**APPROVE, "remember": "yes"}, "#/remember", "Input should be"),
]


@pytest.mark.parametrize(("body", "pointer", "words"), REFUSED)
async def test_decisions_that_are_refused(tree: Tree, body: dict[str, Any], pointer: str, words: str) -> None:
    """Each fault is named with its place."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        caller = Caller(gateway)
        _, (wait,) = await caller.waiting()
        found = await caller.ask("POST", f"/v1/approvals/{wait['id']}", body, 422)
    (error,) = found["errors"]
    assert error["pointer"] == pointer
    assert error["detail"].startswith(words)


async def test_named_approvers(tree: Tree) -> None:
    """A policy that names approvers is answered by them alone, whoever else may see the question."""
    async with live(tree(CALL, toml=LED), watch=False) as gateway:
        owner, lead, other, desk = (Caller(gateway, key) for key in (gateway.key, LEAD, OTHER, DESK))
        run, (wait,) = await owner.waiting()
        path = f"/v1/approvals/{wait['id']}"
        assert await owner.code("POST", path, APPROVE) == (403, "not_an_approver")
        assert await other.code("POST", path, APPROVE) == (404, "approval_not_found")
        assert await desk.code("GET", path) == (404, "approval_not_found")
        listed = [(await each.ask("GET", "/v1/approvals"))["items"] for each in (owner, lead, other, desk)]
        assert await lead.code("GET", f"/v1/runs/{run}") == (404, "run_not_found")
        done = await lead.ask("POST", path, APPROVE)
        told = await owner.told(run)
    assert [[each["id"] for each in found] for found in listed] == [[wait["id"]], [wait["id"]], [], []]
    assert done["votes"][0]["by"] == "lead"
    assert [each.data["by"] for each in told if each.event == "approval.resolved"] == ["lead"]


async def test_who_answers_for_everybody(tree: Tree) -> None:
    """Where a policy names nobody, a key with the scope for it answers, and no other one."""
    async with live(tree(CALL, toml=ASK + KEYS), watch=False) as gateway:
        owner, other, desk = (Caller(gateway, key) for key in (gateway.key, OTHER, DESK))
        run, (wait,) = await owner.waiting()
        path = f"/v1/approvals/{wait['id']}"
        assert await other.code("POST", path, APPROVE) == (404, "approval_not_found")
        assert await desk.code("GET", f"/v1/runs/{run}") == (403, "insufficient_scope")
        assert [each["id"] for each in (await desk.ask("GET", "/v1/approvals"))["items"]] == [wait["id"]]
        assert (await desk.ask("POST", path, APPROVE))["votes"][0]["by"] == "desk"


async def test_an_answer_after_a_restart(tree: Tree) -> None:
    """What waited goes on waiting in the next process, and goes on when it is answered there."""
    root = tree(CALL, toml=ASK)
    async with live(root, watch=False) as gateway:
        run, (wait,) = await Caller(gateway).waiting()
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        assert await caller.state(run) == "waiting"
        following = asyncio.create_task(caller.told(run))
        await until(lambda: gateway.gateway.edge.host.streams.count("tester"))
        await caller.ask("POST", f"/v1/approvals/{wait['id']}", APPROVE)
        told = await asyncio.wait_for(following, 60)
    assert [each.event for each in told].count("approval.requested") == 1
    assert [each.data["reason"] for each in told if each.event == "run.resumed"] == ["answered"]
    assert told[-1].event == "run.completed"


async def test_nonces_are_for_the_owner(tree: Tree) -> None:
    """Who may see every run still does not learn the nonces of another key's questions."""
    admin = '[auth.keys.admin]\nkey = "the-key-of-an-admin"\nscopes = ["admin:*"]\n'
    async with live(tree(CALL, toml=ASK + admin), watch=False) as gateway:
        owner, seer = Caller(gateway), Caller(gateway, "the-key-of-an-admin")
        run, (wait,) = await owner.waiting()
        pages = [await each.ask("GET", f"/v1/runs/{run}/events") for each in (owner, seer)]
    mine, theirs = (
        next(each["data"] for each in page["items"] if each["event"] == "approval.requested") for page in pages
    )
    assert mine["id"] == theirs["id"] == wait["id"]
    assert len(mine["nonce"]) == 16
    assert "nonce" not in theirs


async def test_an_approval_takes_no_result(tree: Tree) -> None:
    """Approvals are answered where approvals are."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        caller = Caller(gateway)
        _, (wait,) = await caller.waiting()
        assert await caller.code("POST", f"/v1/waits/{wait['id']}/answer", {"result": 1}) == (422, "wrong_kind")
