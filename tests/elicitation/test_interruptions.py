"""What becomes of an open question when its server, the gateway or the configuration goes away meanwhile."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from headgate.testing.harness import KEY, live
from tests.conftest import Tree
from tests.e2e.process import Served, served
from tests.elicitation.asking import ADA, SEEN, asked, desk, gone, inquiring, of, outcomes, reply, until_true
from tests.mcp.servers import table
from tests.server.native import Caller
from tests.waiting import until

REPEATABLE = {
    "tools/inquire.yaml": "kind: mcp\nserver: desk\ntool: inquire\nreplace: true\nannotations: {idempotent: true}\n"
}


async def test_a_server_that_ends_while_it_asks(tree: Tree) -> None:
    """A call that was held fails, and its question is void."""
    async with live(tree(inquiring(), toml=desk("legacy"), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        (wait,) = await asked(caller, run)
        os.kill(gateway.gateway.snapshot.servers["desk"].health.pid or 0, signal.SIGKILL)
        told = await caller.told(run)
        late = await caller.code("POST", f"/v1/waits/{wait['id']}/answer", ADA)
    (resolved,) = of(told, "input.resolved")
    assert outcomes(told) == ["connection_error"]
    assert (resolved["state"], resolved["action"], resolved["reason"]) == (
        "cancelled", "", "the server does not wait for it any more",
    )  # fmt: skip
    assert late == (409, "already_resolved")
    assert told[-1].event == "run.completed"


async def test_a_server_that_does_not_wait_for_the_answer(tree: Tree) -> None:
    """A question that is left open by its call is void, and the run goes on."""
    async with live(tree(inquiring({"impatient": True}), toml=desk("legacy"), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        told = await caller.told(run)
        waits = (await caller.ask("GET", f"/v1/waits?run={run}"))["items"]
    assert outcomes(told) == [{"got": {}, "made": 1}]
    assert {each["state"] for each in waits} <= {"cancelled"}
    assert told[-1].event == "run.completed"


async def test_a_server_that_ends_after_it_has_asked(tree: Tree) -> None:
    """One that has interrupted its call is told the reply when it is back."""
    async with live(tree(inquiring(), toml=desk("modern"), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        (wait,) = await asked(caller, run)
        await gone(caller)
        server = gateway.gateway.snapshot.servers["desk"]
        pid = server.health.pid
        os.kill(pid or 0, signal.SIGKILL)
        await until(lambda: server.health.pid not in (None, pid))
        await reply(caller, wait)
        told = await caller.told(run)
    assert outcomes(told) == [{"got": {"q1": SEEN}, "made": 1}]


async def test_another_server_of_the_same_name(tree: Tree) -> None:
    """What a person has told one server is not for another: that asks anew."""
    root = tree(inquiring(), toml=desk("modern"), tools=[])
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        (wait,) = await asked(caller, run)
        await gone(caller)
        text = (root / "gateway.toml").read_text()
        gateway.edit("gateway.toml", text.replace("'--era'", "'--pages', '7', '--era'"))
        assert (await gateway.reload())["status"] == "applied"
        await reply(caller, wait)
        (again,) = await asked(caller, run)
        await reply(caller, again, {"action": "decline"})
        told = await caller.told(run)
    assert again["id"] != wait["id"]
    assert outcomes(told)[0]["got"] == {"q1": {"action": "decline"}}


async def test_a_gateway_that_stops(tree: Tree) -> None:
    """A call that was interrupted goes on in the next process, when it is answered there."""
    root = tree(inquiring(), toml=desk("modern"), tools=[])
    async with live(root, watch=False) as gateway:
        run = await Caller(gateway).begin()
        (wait,) = await asked(Caller(gateway), run)
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        await reply(caller, wait)
        told = await caller.told(run)
    assert outcomes(told) == [{"got": {"q1": SEEN}, "made": 1}]
    assert len(of(told, "tool.started")) == len(of(told, "input.requested")) == len(of(told, "input.resolved")) == 1


async def test_a_gateway_that_stops_while_a_call_is_held(tree: Tree) -> None:
    """The question is void, and a person is asked what became of the call."""
    root = tree(inquiring(), toml=desk("legacy"), tools=[])
    async with live(root, watch=False) as gateway:
        run = await Caller(gateway).begin()
        (wait,) = await asked(Caller(gateway), run)
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        (unknown,) = await asked(caller, run)
        late = await caller.code("POST", f"/v1/waits/{wait['id']}/answer", ADA)
        await caller.ask("POST", f"/v1/waits/{unknown['id']}/answer", {"decision": "failed", "reason": "no"})
        told = await caller.told(run)
    assert (unknown["kind"], late) == ("unknown_outcome", (409, "already_resolved"))
    assert [each["state"] for each in of(told, "input.resolved")] == ["cancelled"]
    assert outcomes(told) == ["tool_error"]


async def test_a_call_that_may_be_made_again(tree: Tree) -> None:
    """It is made again after a restart, and its server asks anew."""
    script = "- {call: inquire, args: {}}\n- {text: done}\n"
    root = tree(script, toml=desk("legacy"), tools=["inquire"], files=REPEATABLE)
    async with live(root, watch=False) as gateway:
        run = await Caller(gateway).begin()
        (wait,) = await asked(Caller(gateway), run)
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        (again,) = await asked(caller, run)
        await reply(caller, again)
        told = await caller.told(run)
    assert again["id"] != wait["id"]
    assert outcomes(told) == [{"got": {"q1": SEEN}, "made": 1}]


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_process_that_is_killed(tree: Tree, era: str) -> None:
    """Nothing that is open is lost: the question of an interrupted call, or that a held call was cut off."""
    root = tree(inquiring(), toml=desk(era), tools=[])
    async with served(root) as gateway:
        run = (await _send(gateway, "POST", "/v1/runs", {"message": "hi"}))["id"]
        wait = await _pending(gateway, run, "input")
        gateway.process.kill()
    async with served(root) as gateway:
        kind, said = ("input", ADA) if era == "modern" else ("unknown_outcome", {"decision": "failed"})
        found = await _pending(gateway, run, kind)
        await _send(gateway, "POST", f"/v1/waits/{found['id']}/answer", said)

        async def done() -> bool:
            return bool((await _send(gateway, "GET", f"/v1/runs/{run}"))["state"] == "completed")

        await until_true(done)
        first = await _send(gateway, "GET", f"/v1/waits/{wait['id']}")
    assert first["state"] == ("answered" if era == "modern" else "cancelled")


async def _send(gateway: Served, method: str, path: str, body: Any = None) -> Any:
    headers = {"authorization": f"Bearer {KEY}"}
    answer: httpx2.Response = await gateway.http.request(method, path, json=body, headers=headers)
    assert answer.status_code < 300, answer.text
    return answer.json()


async def _pending(gateway: Served, run: str, kind: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    async def look() -> bool:
        waits = (await _send(gateway, "GET", f"/v1/waits?run={run}&state=pending"))["items"]
        found.extend(each for each in waits if each["kind"] == kind)
        return bool(found)

    await until_true(look)
    return found[0]


async def test_approvals_come_before_questions(tree: Tree, tmp_path: Path) -> None:
    """A call that a policy holds asks for its approval first, once, and then for what its server wants."""
    policy = '[approvals.gate]\ntools = ["desk__inquire"]\ndecide = "ask"\n'
    async with live(tree(inquiring({"rounds": 2}), toml=desk("modern") + policy, tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run, (approval,) = await caller.waiting()
        await caller.ask("POST", f"/v1/approvals/{approval['id']}", {"decision": "approve"})
        for _ in range(2):
            (wait,) = await asked(caller, run)
            assert wait["kind"] == "input"
            await reply(caller, wait)
        told = await caller.told(run)
    assert len(of(told, "approval.requested")) == len(of(told, "approval.resolved")) == 1
    assert outcomes(told)[0]["made"] == 3


async def test_interceptors_judge_once(tree: Tree) -> None:
    """A rate limit counts a call once, however often its server interrupts it."""
    limit = '[interceptors.slow]\nkind = "rate_limit"\ntools = ["desk__*"]\nper = "key"\nlimit = "1/min"\n'
    script = inquiring({"rounds": 3}) + "- {call: desk__inquire, args: {}}\n- {text: again}\n"
    async with live(tree(script, toml=desk("modern") + limit, tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        for _ in range(3):
            (wait,) = await asked(caller, run)
            await reply(caller, wait)
        first = await caller.told(run)
    assert outcomes(first)[0]["made"] == 4
    assert not [each for each in of(first, "policy.decided") if each["action"] == "deny"]


async def test_calls_of_several_runs_on_one_connection(tree: Tree) -> None:
    """Before 2026-07-28 a question over stdio does not say for which call it is: nobody is asked what may be of
    another run."""
    script = (
        "- {when: {user_contains: sleep}, call: desk__sleep, args: {seconds: 600}}\n"
        "- {call: desk__inquire, args: {}}\n- {text: done}\n"
    )
    toml = table("desk", "--era", "legacy", allow='["inquire", "sleep"]', timeout='"20m"')
    async with live(tree(script, toml=toml, tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        other = await caller.begin("sleep")
        await _calling(caller, other)
        told = await caller.told(await caller.begin())
        await caller.send("POST", f"/v1/runs/{other}/cancel")
    assert outcomes(told)[0]["got"] == {"q1": {"action": "decline"}}


async def _calling(caller: Caller, run: str) -> None:
    async with caller.follow(run) as events:
        async for event in events:
            if event.event == "tool.output":
                return
