"""Approvals that several people give, and approvals with other arguments, natively and in the chat API."""

from __future__ import annotations

import asyncio
from typing import Any

from headgate.testing.harness import live
from tests.conftest import Tree
from tests.server.native import ASK, CALL, KEYS, LEAD, OTHER, REMEMBER, Caller, settled

APPROVE, DENY = {"decision": "approve"}, {"decision": "deny"}
SECOND = "the-key-of-the-second"
BOTH = (
    ASK + 'approvers = ["supervisors", "other"]\nquorum = 2\n' + KEYS
    + f'[auth.keys.second]\nkey = "{SECOND}"\nteam = "supervisors"\n'
)  # fmt: skip


def votes(wait: dict[str, Any]) -> list[tuple[str, str]]:
    """Who said what."""
    return [(each["by"], each["decision"]) for each in wait["votes"]]


async def test_a_quorum(tree: Tree) -> None:
    """The question stays pending until so many keys approve; none of them counts twice."""
    async with live(tree(CALL, toml=BOTH), watch=False) as gateway:
        caller, lead, other = (Caller(gateway, key) if key else Caller(gateway) for key in ("", LEAD, OTHER))
        run, (wait,) = await caller.waiting()
        path = f"/v1/approvals/{wait['id']}"
        first = await lead.ask("POST", path, APPROVE)
        again = await lead.code("POST", path, APPROVE)
        state = await caller.state(run)
        last = await other.ask("POST", path, APPROVE)
        late = await Caller(gateway, SECOND).code("POST", path, APPROVE)
        await settled(gateway)
        end = await caller.state(run)
    assert (first["state"], first["resolved_at"], votes(first)) == ("pending", None, [("lead", "approve")])
    assert (again, state) == ((409, "already_voted"), "waiting")
    assert (last["state"], votes(last)) == ("approved", [("lead", "approve"), ("other", "approve")])
    assert (late, end) == ((409, "already_resolved"), "completed")


async def test_one_denial_is_enough(tree: Tree) -> None:
    """Also that of somebody who has approved before."""
    async with live(tree(CALL, toml=BOTH), watch=False) as gateway:
        _, (wait,) = await Caller(gateway).waiting()
        path = f"/v1/approvals/{wait['id']}"
        await Caller(gateway, LEAD).ask("POST", path, APPROVE)
        found = await Caller(gateway, LEAD).ask("POST", path, {**DENY, "reason": "no"})
    assert (found["state"], votes(found)) == ("denied", [("lead", "approve"), ("lead", "deny")])


async def test_votes_at_once(tree: Tree) -> None:
    """Of three that approve at once two are counted, and none is lost."""
    async with live(tree(CALL, toml=BOTH), watch=False) as gateway:
        _, (wait,) = await Caller(gateway).waiting()
        path = f"/v1/approvals/{wait['id']}"
        callers = [Caller(gateway, key) for key in (LEAD, OTHER, SECOND)]
        answers = await asyncio.gather(*(each.send("POST", path, APPROVE) for each in callers))
        found = await Caller(gateway, LEAD).ask("GET", path)
    assert sorted(each.status_code for each in answers) == [200, 200, 409]
    assert (found["state"], len({by for by, _ in votes(found)}), len(found["votes"])) == ("approved", 2, 2)


async def test_an_edit(tree: Tree) -> None:
    """The call is made with the edit; the vote and the event tell it."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        edit = {"a": 5, "b": 2}
        done = await caller.ask("POST", f"/v1/approvals/{wait['id']}", {**APPROVE, "edited_args": edit})
        told = await caller.told(run)
    assert (done["args"], done["votes"][0]["edited_args"]) == ({"a": 1, "b": 2}, edit)
    (resolved,) = [each.data for each in told if each.event == "approval.resolved"]
    assert resolved["edited_args"] == edit
    (made,) = [each.data["result"]["structured"] for each in told if each.event == "tool.completed"]
    assert made["sum"] == 7


async def test_edits_that_are_refused(tree: Tree) -> None:
    """A denial has no arguments, a remembered one is for others too, and several people approve what was asked."""
    edit = {"edited_args": {"a": 5, "b": 2}}
    async with live(tree(CALL, toml=REMEMBER), watch=False) as gateway:
        caller = Caller(gateway)
        session = (await caller.ask("POST", "/v1/sessions", status=201))["session_id"]
        _, (wait,) = await caller.waiting(session_id=session)
        path = f"/v1/approvals/{wait['id']}"
        denied = await caller.code("POST", path, {**DENY, **edit})
        remembered = await caller.code("POST", path, {**APPROVE, **edit, "remember": True})
    async with live(tree(CALL, toml=BOTH), watch=False) as gateway:
        _, (wait,) = await Caller(gateway).waiting()
        several = await Caller(gateway, LEAD).code("POST", f"/v1/approvals/{wait['id']}", {**APPROVE, **edit})
    assert (denied, remembered, several) == (
        (422, "not_editable"), (422, "not_rememberable"), (422, "not_editable"),
    )  # fmt: skip
