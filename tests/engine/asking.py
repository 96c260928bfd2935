"""A tree whose calls ask before they are made, and what came of them."""

from __future__ import annotations

from headgate.core.events import Event, ToolCompleted
from headgate.core.messages import ToolResult
from headgate.engine.keeper import Keeper
from headgate.engine.run import Run
from tests import workshop
from tests.engine.house import House
from tests.waiting import until

SCRIPT = """
- {when: {user_contains: refused}, call: fail, args: {how: tool}}
- {when: {user_contains: held}, call: add, args: {a: 1, b: 2}}
- {when: {user_contains: beside}, calls: [{call: add, args: {a: 3, b: 4}}, {call: wait, args: {name: beside}}]}
- {when: {user_contains: choose}, calls: [{call: choose, args: {n: 1}}, {call: choose, args: {n: 2}}]}
- {when: {user_contains: told}, call: told, args: {name: told}}
- {when: {user_contains: asked}, call: wait, args: {name: asked}}
- {when: {user_contains: both}, call: both, args: {name: both}}
- {when: {user_contains: again}, call: again, args: {name: again}}
- {text: Well.}
"""
POLICIES = """
[approvals.refusing]
tools = ["fail"]
decide = "deny"
[approvals.holding]
tools = ["add"]
decide = "ask"
remember = "session"
timeout = "1h"
approvers = ["default"]
[approvals.both]
tools = ["both"]
decide = "ask"
[approvals.telling]
tools = ["told"]
decide = "allow"
on_unknown_outcome = "tell_model"
"""
FUNCTION = "kind: function\ndescription: Waits.\ncall: tests.workshop:wait\n"
FILES = {
    "tools/told.yaml": FUNCTION,
    "tools/again.yaml": FUNCTION + "annotations: {idempotent: true}\n",
    "tools/both.yaml": FUNCTION + "annotations: {idempotent: true}\n",
    "tools/choose.yaml": "kind: client\ndescription: Chooses.\nexpires: 2m\noutput: chosen\n"
    "input: {type: object, properties: {n: {type: integer}}}\n",
}


def results(events: list[Event]) -> list[ToolResult]:
    """The results of the calls, in the order in which they came."""
    return [event.result for event in events if isinstance(event, ToolCompleted)]


def problem(result: ToolResult) -> tuple[str, str, str]:
    """Status, code and message of a failed result."""
    assert result.error is not None
    return result.status, result.error.code, result.error.message


def later(house: House, seconds: float) -> Keeper:
    """A keeper whose clock is so much later."""
    return Keeper(house.host, clock=lambda: house.now() + seconds)


async def cut_off(house: House, text: str) -> Run:
    """A run that was cut off in the middle of a call, as when its process is killed."""
    workshop.entered.clear()
    run = await house.host.submit(house.order(text))
    await until(lambda: workshop.entered)
    await crash(house, run)
    return run


async def crash(house: House, run: Run) -> None:
    """The run stops where it is, whatever it is doing."""
    house.host.runs[run.id].leave(now=True)
    await until(lambda: house.empty)
    house.host.left.forget(run.id)
    house.host.left.add(run.id)
