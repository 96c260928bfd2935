"""Kill switches: what they stop ends at once, nothing new begins, and they outlive a restart."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.testing.harness import agent_md, live
from tests import workshop
from tests.conftest import Tree
from tests.server.native import KEYS, OTHER, Caller
from tests.waiting import until

PATH = "/v1/admin/kill-switches"
SCRIPT = "- {call: wait, args: {name: door}}\n- {text: done}\n"
ASK = '[approvals.gate]\ntools = ["wait"]\ndecide = "ask"\n'
WHY = "It gave away discounts."
STOPPED = [
    ({"kind": "agent", "target": "helper"}, (403, "killed")),
    ({"kind": "agent", "target": "help*"}, (403, "killed")),
    ({"kind": "key", "target": "other"}, (403, "killed")),
    ({"kind": "team", "target": "default"}, (403, "killed")),
    ({"kind": "gateway"}, (503, "killed")),
]


async def stop(boss: Caller, **body: Any) -> dict[str, Any]:
    """Puts a switch on."""
    return await boss.ask("POST", PATH, {"reason": WHY, **body}, status=201)


async def ended(boss: Caller, run: str) -> dict[str, Any]:
    """The run, when it has ended."""
    while True:
        found = await boss.ask("GET", f"/v1/runs/{run}")
        if found["ended_at"] is not None:
            return found


@pytest.mark.parametrize(("target", "refusal"), STOPPED)
async def test_runs_of_the_target(tree: Tree, target: dict[str, Any], refusal: tuple[int, str]) -> None:
    """A run in progress ends as revoked while its tool works, a new one is refused with the reason, until it is off."""
    root = tree(SCRIPT, toml=KEYS)
    async with live(root, watch=False) as gateway:
        boss, other = Caller(gateway), Caller(gateway, OTHER)
        run = await other.begin()
        await until(lambda: "door" in workshop.entered)
        async with other.follow(run) as events:
            made = await stop(boss, **target)
            told = [event async for event in events]
        assert (told[-1].event, told[-1].data["outcome"]) == ("run.cancelled", "revoked")
        assert WHY in told[-1].data["reason"]
        assert made["ended"] == 1
        assert await other.code("POST", "/v1/runs", {"message": "x"}) == refusal
        refused = await other.send("POST", "/v1/runs", {"message": "x"})
        assert WHY in refused.json()["detail"]
        status = await boss.ask("GET", "/v1/status")
        (shown,) = status["kill_switches"]
        assert (shown["name"], shown["kind"], shown["reason"]) == (made["name"], target["kind"], WHY)
    async with live(root, watch=False) as gateway:
        boss, other = Caller(gateway), Caller(gateway, OTHER)
        assert await other.code("POST", "/v1/runs", {"message": "x"}) == refusal
        await boss.ask("DELETE", f"{PATH}/{made['name']}")
        workshop.gate("door").set()
        assert (await ended(boss, await other.begin()))["outcome"] == "success"
        assert (await boss.ask("GET", PATH))["items"] == []


@pytest.mark.parametrize("target", [each for each, _ in STOPPED])
async def test_runs_that_wait(tree: Tree, target: dict[str, Any]) -> None:
    """A run that waits for a person ends too, and its question is gone."""
    async with live(tree(SCRIPT, toml=KEYS + ASK), watch=False) as gateway:
        boss, other = Caller(gateway), Caller(gateway, OTHER)
        run, (wait,) = await other.waiting()
        await stop(boss, **target)
        found = await ended(boss, run)
        assert (found["outcome"], found["state"]) == ("revoked", "cancelled")
        answer = await other.send("POST", f"/v1/approvals/{wait['id']}", {"decision": "approve"})
        assert answer.status_code == 409
        assert workshop.entered == []


async def test_others_go_on(tree: Tree) -> None:
    """What is not the target goes on: other keys, other agents."""
    files = {"agents/second.md": agent_md(model="default/auto", tools=["*"])}
    async with live(tree(SCRIPT, toml=KEYS, files=files), watch=False) as gateway:
        boss, other = Caller(gateway), Caller(gateway, OTHER)
        mine, theirs = await boss.begin(), await other.begin(agent="second")
        await until(lambda: len(workshop.entered) == 2)
        await stop(boss, kind="key", target="lead")
        await stop(boss, kind="agent", target="second")
        assert (await ended(boss, theirs))["outcome"] == "revoked"
        workshop.gate("door").set()
        assert (await ended(boss, mine))["outcome"] == "success"


async def test_a_tool_that_is_called(tree: Tree) -> None:
    """A run that is calling the tool ends; another one is told by the door that the tool is off, and goes on."""
    async with live(tree(SCRIPT, toml=KEYS), watch=False) as gateway:
        boss, other = Caller(gateway), Caller(gateway, OTHER)
        run = await other.begin()
        await until(lambda: "door" in workshop.entered)
        await stop(boss, kind="tool", target="wait")
        assert (await ended(boss, run))["outcome"] == "revoked"
        workshop.entered.clear()
        later = await other.begin()
        assert (await ended(boss, later))["outcome"] == "success"
        steps = (await boss.ask("GET", f"/v1/runs/{later}/steps"))["items"]
        (call,) = [each for each in steps if each["kind"] == "tool"]
        assert (call["status"], call["result"]["error"]["code"]) == ("denied", "withdrawn")
        assert WHY in call["result"]["error"]["message"]
        assert workshop.entered == []


async def test_a_tool_that_is_asked_about(tree: Tree) -> None:
    """A run that asks whether it may call the tool ends; that nobody can approve it any more is plain then."""
    async with live(tree(SCRIPT, toml=KEYS + ASK), watch=False) as gateway:
        boss, other = Caller(gateway), Caller(gateway, OTHER)
        run, _ = await other.waiting()
        await stop(boss, kind="tool", target="w*t")
        assert (await ended(boss, run))["outcome"] == "revoked"


async def test_a_switch_while_nothing_compiles(tree: Tree) -> None:
    """A broken edit of the tree is in no switch's way."""
    async with live(tree(SCRIPT, toml=KEYS), watch=False) as gateway:
        boss, other = Caller(gateway), Caller(gateway, OTHER)
        gateway.edit("agents/helper.md", "---\nbroken\n")
        await gateway.http.post("/v1/admin/reload", headers=boss.headers)
        run = await other.begin()
        await until(lambda: "door" in workshop.entered)
        await stop(boss, kind="agent", target="helper")
        assert (await ended(boss, run))["outcome"] == "revoked"


MISSED = [
    ({"kind": "agent", "target": "helpr"}, "did you mean 'helper'?"),
    ({"kind": "tool", "target": "wiat"}, "did you mean 'wait'?"),
    ({"kind": "key", "target": "othr"}, "did you mean 'other'?"),
    ({"kind": "team", "target": "defualt"}, "did you mean 'default'?"),
    ({"kind": "agent"}, "name the target"),
    ({"kind": "gateway", "target": "all"}, "leave the target out"),
]


@pytest.mark.parametrize(("target", "hint"), MISSED)
async def test_a_target_that_is_missed(tree: Tree, target: dict[str, Any], hint: str) -> None:
    """A misspelt target is an error, since its switch would stop nothing while everybody believes that it does."""
    async with live(tree(SCRIPT, toml=KEYS), watch=False) as gateway:
        boss = Caller(gateway)
        answer = await boss.send("POST", PATH, {"reason": WHY, **target})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_target")
        assert hint in answer.json()["detail"]
        assert (await boss.ask("GET", PATH))["items"] == []


async def test_who_did_it(tree: Tree) -> None:
    """The audit log names who put it on and off, and why; a switch of the tree is taken off there."""
    toml = f'{KEYS}[kill_switches.of-the-tree]\nagent = "gone"\nreason = "Old."\n'
    async with live(tree(SCRIPT, toml=toml), watch=False) as gateway:
        boss = Caller(gateway)
        (warning,) = [each for each in gateway.gateway.snapshot.warnings if each.code == "HG1206"]
        assert "the switch stops nothing" in warning.message
        await stop(boss, kind="agent", target="helper", name="mine")
        assert await boss.code("POST", PATH, {"kind": "gateway", "reason": "x", "name": "mine"}) == (
            409,
            "already_exists",
        )
        await boss.ask("DELETE", f"{PATH}/mine")
        assert await boss.code("DELETE", f"{PATH}/mine") == (404, "kill_switch_not_found")
        assert await boss.code("DELETE", f"{PATH}/of-the-tree") == (409, "declared_in_tree")
        told = [each for each in (await boss.ask("GET", "/v1/audit"))["items"] if each["kind"].startswith("kill.")]
    assert [(each["kind"], each["key"], each["details"]["name"]) for each in told] == [
        ("kill.off", "tester", "mine"),
        ("kill.on", "tester", "mine"),
    ]
    assert told[1]["details"]["reason"] == WHY


async def test_the_chat_api(tree: Tree) -> None:
    """Clients of the compatible API are told in its words."""
    async with live(tree(SCRIPT), watch=False) as gateway:
        session = await gateway.session()
        await stop(Caller(gateway), kind="agent", target="helper")
        answer = await gateway.http.post(
            "/api/chat", json={"messages": [{"role": "user", "content": "x"}]}, headers=session.headers
        )
        assert answer.status_code == 403
        assert WHY in answer.json()["detail"]


async def test_two_switches(tree: Tree) -> None:
    """What two switches stop stays stopped until both are off."""
    async with live(tree(), watch=False) as gateway:
        boss = Caller(gateway)
        await stop(boss, kind="agent", target="helper", name="one")
        await stop(boss, kind="gateway", name="two")
        await boss.ask("DELETE", f"{PATH}/two")
        assert await boss.code("POST", "/v1/runs", {"message": "x"}) == (403, "killed")
        await boss.ask("DELETE", f"{PATH}/one")
        await boss.begin()
