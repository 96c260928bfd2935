"""Calls that are approved with other arguments than the model asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.core.errors import Invalid
from headgate.core.events import ApprovalResolved, Event, ToolStarted
from headgate.core.messages import ErrorInfo, Text, ToolCall, ToolResult
from headgate.engine.answers import Polls, cast
from headgate.engine.arguments import args_hash
from headgate.engine.edits import bound_hash, edited, insisted, require_fit
from headgate.engine.turn import CallState
from headgate.stores.waits import Vote, WaitRecord
from headgate.testing.ledger_samples import a_wait
from tests.conftest import Tree
from tests.engine.asking import FILES, POLICIES, SCRIPT, problem, results
from tests.engine.house import House, another, housed

STRICT = POLICIES.replace("[approvals.holding]", '[approvals.never]\ntools = ["add"]\nwhen = "args.a > 100"\n'
                          'decide = "deny"\n[approvals.holding]')  # fmt: skip


@pytest.fixture
async def house(tree: Tree) -> AsyncIterator[House]:
    """A house where sums are asked about, and large ones refused."""
    async with housed(tree(SCRIPT, toml=STRICT, files=FILES)) as house:
        yield house


async def approved(house: House, args: dict[str, Any]) -> WaitRecord:
    """The question that waits, approved with these arguments."""
    (wait,) = await house.questions()
    vote = Vote(by="tester", decision="approve", at=house.now(), edited_args=args)
    return await cast(wait, vote, Polls(house.host, house.host.ledger), team="ops")


def resolved(events: list[Event]) -> ApprovalResolved:
    """How the question was settled."""
    (found,) = [event for event in events if isinstance(event, ApprovalResolved)]
    return found


async def test_an_edit(house: House) -> None:
    """The tool gets the edit, the transcript keeps what the model asked, and the model is told."""
    run = await house.parked("held")
    edit = {"a": 20, "b": 3}
    settled = await approved(house, edit)
    events = await house.gone_on(run.id)
    said = 'approval by tester: a person changed the arguments; the call was made with {"a":20,"b":3}'
    assert results(events)[0].structured == {"sum": 23, "_warnings": [said]}
    assert [event.args for event in events if isinstance(event, ToolStarted)] == [{"a": 1, "b": 2}]
    assert (resolved(events).edited_args, resolved(events).args_hash) == (edit, args_hash(edit))
    assert (settled.args, settled.votes[0].edited_args) == ({"a": 1, "b": 2}, edit)
    (step,) = [each for each in await house.host.ledger.steps(run.id) if each.kind == "tool"]
    assert step.args == {"a": 1, "b": 2}


async def test_an_edit_after_a_restart(house: House) -> None:
    """It is kept in the ledger: another process makes the same call."""
    run = await house.parked("held")
    await approved(house, {"a": 20, "b": 3})
    async with another(house.host) as second:
        assert results(await second.gone_on(run.id))[0].structured["sum"] == 23


async def test_an_edit_that_a_policy_denies(house: House) -> None:
    """Policies judge the edit, and deny still wins."""
    run = await house.parked("held")
    await approved(house, {"a": 101, "b": 3})
    assert problem(*results(await house.gone_on(run.id)))[1:] == ("policy_denied", "policy 'never' denies add")


async def test_an_edit_that_does_not_fit(house: House) -> None:
    """A call that the tool's schema refuses is not made, whoever has approved it."""
    run = await house.parked("held")
    await approved(house, {"a": "many", "b": 3})
    assert problem(*results(await house.gone_on(run.id)))[1] == "invalid_arguments"


def test_an_edit_is_for_the_call_that_was_asked_about() -> None:
    """A call with other arguments stays as it is, and is not what the answer is bound to."""
    vote = Vote(by="boss", decision="approve", at=1.0, edited_args={"a": 2})
    wait = a_wait("run_1", args={"a": 1}, args_hash=args_hash({"a": 1}), votes=(vote,), state="approved")
    state = CallState(2, waits={"approval": wait})
    assert edited(ToolCall("c1", "add", {"a": 1}), state).args == {"a": 2}
    assert edited(ToolCall("c1", "add", {"a": 9}), state).args == {"a": 9}
    assert bound_hash(wait) == args_hash({"a": 2})


def test_places() -> None:
    """What is wrong with an edit is said with the place of each fault."""
    schema = {
        "properties": {"a": {"type": "integer"}, "x/y": {"items": {"type": "string"}}}, "additionalProperties": False,
    }  # fmt: skip
    require_fit({"a": 1}, schema, "add")
    with pytest.raises(Invalid) as caught:
        require_fit({"a": "1", "x/y": ["z", 2], "c": 3}, schema, "add")
    pointers = [each["pointer"] for each in caught.value.details["errors"]]
    assert pointers == ["#/edited_args", "#/edited_args/a", "#/edited_args/x~1y/1"]


def test_results_of_every_form() -> None:
    """The model reads of the edit in lists, in texts and in failures."""
    assert insisted(ToolResult(structured=[1]), "so").structured == {"result": [1], "_warnings": ["so"]}
    assert insisted(ToolResult(content=(Text("x"),)), "so").structured == {"result": "x", "_warnings": ["so"]}
    found = insisted(ToolResult(status="error", error=ErrorInfo("tool_error", "no")), "so")
    assert found.error == ErrorInfo("tool_error", "no (so)")
