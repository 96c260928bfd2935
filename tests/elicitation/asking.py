"""What these tests share: a server that asks, and who answers it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headgate.testing.harness import agent_md, gateway_toml, write_tree
from tests.mcp.servers import table
from tests.server.native import Caller, Frame, settled

ERAS = ("legacy", "modern")
ADA = {"action": "accept", "content": {"name": "Ada", "age": 36}}
SEEN = {"action": "accept", "content": {"name": "Ada", "age": 36, "plan": "free"}}
"""The same as the server gets it, with the default of what was left out."""


def inquiring(*calls: dict[str, Any]) -> str:
    """A script whose first turn makes these calls of the asking tool side by side."""
    made = [{"call": "desk__inquire", "args": args} for args in (calls or ({},))]
    return f"- {{calls: {json.dumps(made)}}}\n- {{text: done}}\n"


def desk(era: str, **keys: str) -> str:
    """The table of the server."""
    return table("desk", "--era", era, allow='["inquire", "cancelled", "sleep"]', **keys)


def alone(root: Path, script: str, era: str) -> Path:
    """A tree that any process can read, whose agent may call the tool."""
    files = {
        "gateway.toml": gateway_toml(desk(era), top='default_agent = "helper"'),
        "script.yaml": script,
        "agents/helper.md": agent_md(model="default/auto"),
    }
    return write_tree(root, files)


async def asked(caller: Caller, run: str, count: int = 1) -> list[dict[str, Any]]:
    """The open questions of the run, oldest first, once there are so many."""
    found: list[dict[str, Any]] = []

    async def look() -> bool:
        found[:] = (await caller.ask("GET", f"/v1/waits?run={run}&state=pending"))["items"][::-1]
        return len(found) == count

    await until_true(look)
    return found


async def until_true(happened: Any) -> None:
    """Returns when `await happened()` is true."""
    answers: list[bool] = []

    while not answers or not answers[-1]:
        answers.append(await happened())
        assert len(answers) < 5000


async def reply(caller: Caller, wait: dict[str, Any], said: Any = ADA) -> dict[str, Any]:
    """Answers a question."""
    done: dict[str, Any] = await caller.ask("POST", f"/v1/waits/{wait['id']}/answer", said)
    return done


def outcomes(events: list[Frame]) -> list[Any]:
    """What the calls came to: structured results, or the codes of errors."""
    found = [each.data["result"] for each in events if each.event == "tool.completed"]
    return [each["error"]["code"] if each["error"] else each["structured"] for each in found]


def of(events: list[Frame], kind: str) -> list[dict[str, Any]]:
    """The data of the events of a type."""
    return [each.data for each in events if each.event == kind]


async def gone(caller: Caller) -> None:
    """Waits until nothing is going on."""
    await settled(caller.live)
