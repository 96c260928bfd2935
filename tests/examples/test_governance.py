"""The example `governance`: every layer of its policies does what its comment says."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from headgate.testing.harness import Live, live
from headgate.testing.tool_kit import site
from tests.docs.pages import ROOT
from tests.server.native import Caller, Frame, settled

EXAMPLE = ROOT / "examples" / "governance"
DESK, TRAINEE = "the-desk-in-a-demo", "the-trainees-in-a-demo"
LEAD, DEPUTY = "the-lead-in-a-demo", "the-deputy-in-a-demo"
APPROVE, DENY = {"decision": "approve"}, {"decision": "deny"}
TOKEN = "ghp" + "_16C7e42F292c6912E7710c838347Ae178B4a"
CUSTOMER = {
    "account": "4711",
    "iban": "DE89370400440532013000",
    "token": TOKEN,
}


@dataclass
class Desk:
    """The help desk's systems, and the policy service, which would refuse everything."""

    done: list[tuple[str, str, Any]] = field(default_factory=list)
    judged: int = 0

    async def read(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(CUSTOMER if request.path == "/customers" else {"text": "Close my account!"})

    async def write(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else dict(request.query)
        self.done.append((request.method, request.path, body))
        return web.json_response({"ok": True})

    async def judge(self, request: web.Request) -> web.StreamResponse:
        self.judged += 1
        return web.json_response({"decision": "deny", "message": "Never."})


@dataclass
class Stage:
    """The example as it is served, and callers with its keys."""

    gateway: Live
    desk: Desk

    async def say(self, *calls: dict[str, Any], key: str = DESK) -> str:
        """A run whose model makes these calls, a turn each, that has ended or waits: its id."""
        self.gateway.edit("demo.script.yaml", json.dumps([*calls, {"text": "That is all."}]))
        await self.gateway.http.post("/v1/admin/reload", headers=self.gateway.headers)
        run = await Caller(self.gateway, key).begin()
        await settled(self.gateway)
        return run

    async def questions(self, run: str, key: str = DESK) -> list[dict[str, Any]]:
        """What the run waits for."""
        found: list[dict[str, Any]] = (await Caller(self.gateway, key).ask("GET", f"/v1/runs/{run}"))["waits"]
        return [each for each in found if each["state"] == "pending"]

    async def answer(self, question: dict[str, Any], body: dict[str, str], key: str, status: int = 200) -> Any:
        """Answers a question; what the gateway says to that."""
        found = await Caller(self.gateway, key).ask("POST", f"/v1/approvals/{question['id']}", body, status)
        await settled(self.gateway)
        return found

    async def ends(self, run: str, key: str = DESK) -> list[Any]:
        """The codes with which the calls of a run failed; None for those that were made."""
        told = await Caller(self.gateway, key).told(run)
        return [(result.get("error") or {}).get("code") for result in results(told)]


def results(told: list[Frame]) -> list[dict[str, Any]]:
    """The results of the calls of a run."""
    return [each.data["result"] for each in told if each.event == "tool.completed"]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """The example, with systems of its own behind it."""
    async with contextlib.AsyncExitStack() as stack:
        desk = Desk()
        handlers = {
            **dict.fromkeys(("/customers", "/tickets"), desk.read),
            **dict.fromkeys(("/notes", "/refunds", "/accounts"), desk.write),
            "/decide": desk.judge,
        }
        url = await stack.enter_async_context(site(handlers))
        root = shutil.copytree(EXAMPLE, tmp_path / "tree", ignore=shutil.ignore_patterns(".headgate"))
        with (root / "gateway.toml").open("a", encoding="utf-8") as gateway:
            gateway.write('[auth.keys.tester]\nkey = "test-key-of-the-harness"\nscopes = ["admin:*"]\n')
        environ = {"HELPDESK": url, "EGRESS": "127.0.0.1", "POLICY_URL": f"{url}/decide"}
        yield Stage(await stack.enter_async_context(live(root, environ=environ, watch=False)), desk)


def call(tool: str, **args: Any) -> dict[str, Any]:
    """A turn that makes one call."""
    return {"call": tool, "args": args}


def refund(amount: float) -> dict[str, Any]:
    """A turn that pays back so much."""
    return call("refund", account="4711", amount=amount)


def test_the_tree_is_in_order() -> None:
    """Nothing is found in it, warnings included."""
    command = [str(Path(sys.executable).with_name("headgate")), "validate", str(EXAMPLE), "--no-environment"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "")


async def test_everyday_calls(stage: Stage) -> None:
    """A small refund is made at once; neither bank details nor credentials are shown to the model."""
    run = await stage.say(call("find_customer", name="Ada"), refund(20))
    (customer, _) = results(await Caller(stage.gateway, DESK).told(run))
    shown = customer["structured"]
    assert stage.desk.done == [("POST", "/refunds", {"account": "4711", "amount": 20})]
    assert (shown["account"], shown["iban"]) == ("4711", "[iban]")
    assert shown["token"].startswith("[secret:")


async def test_a_large_refund_takes_two_supervisors(stage: Stage) -> None:
    """Neither the desk alone nor one supervisor is enough."""
    run = await stage.say(refund(500))
    (question,) = await stage.questions(run)
    assert question["policy"] == "large_refunds"
    await stage.answer(question, APPROVE, DESK, 403)
    assert (await stage.answer(question, APPROVE, LEAD))["state"] == "pending"
    assert stage.desk.done == []
    assert (await stage.answer(question, APPROVE, DEPUTY))["state"] == "approved"
    assert stage.desk.done == [("POST", "/refunds", {"account": "4711", "amount": 500})]


async def test_a_huge_refund_is_refused(stage: Stage) -> None:
    """Nobody is even asked."""
    assert await stage.ends(await stage.say(refund(1000.5))) == ["policy_denied"]
    assert stage.desk.done == []


async def test_a_destructive_call_takes_one_supervisor(stage: Stage) -> None:
    """An account is closed when the lead says so."""
    run = await stage.say(call("close_account", account="4711"))
    (question,) = await stage.questions(run)
    await stage.answer(question, APPROVE, DESK, 403)
    await stage.answer(question, APPROVE, LEAD)
    assert (question["policy"], stage.desk.done) == ("destructive", [("DELETE", "/accounts", {"account": "4711"})])


async def test_what_follows_a_ticket_is_confirmed(stage: Stage) -> None:
    """After a stranger's text the desk itself is asked, also about what it may do else; denied is denied."""
    run = await stage.say(call("read_ticket", ticket="1"), refund(20), call("find_customer", name="Ada"))
    (question,) = await stage.questions(run)
    await stage.answer(question, DENY, DESK)
    assert question["policy"] == "after_a_ticket"
    assert (await stage.ends(run), stage.desk.done) == ([None, "user_denied", None], [])


async def test_trainees_are_supervised(stage: Stage) -> None:
    """The key of the trainees brings a layer of its own: what the desk may do alone, a supervisor approves."""
    note = call("add_note", account="4711", text="Called.")
    assert await stage.ends(await stage.say(note)) == [None]
    run = await stage.say(note, key=TRAINEE)
    (question,) = await stage.questions(run, TRAINEE)
    await stage.answer(question, APPROVE, TRAINEE, 403)
    await stage.answer(question, APPROVE, LEAD)
    assert (question["policy"], len(stage.desk.done)) == ("learning", 2)


async def test_credentials_stay_inside(stage: Stage) -> None:
    """A call that would carry one out is not made."""
    note = call("add_note", account="4711", text=f"The token is {TOKEN}")
    assert (await stage.ends(await stage.say(note)), stage.desk.done) == (["secret_found"], [])


async def test_refunds_of_a_day(stage: Stage) -> None:
    """Twenty-five, even of one turn."""
    found = await stage.ends(await stage.say({"calls": [refund(1)] * 26}))
    assert (found.count("budget_exceeded"), len(stage.desk.done)) == (1, 25)


async def test_a_team_shares_its_budget(stage: Stage) -> None:
    """Once it is used up, the next run is refused, also one of another key of the team, and not one of another team."""
    text = (stage.gateway.root / "gateway.toml").read_text(encoding="utf-8")
    stage.gateway.edit("gateway.toml", text.replace("tokens = 5_000_000", "tokens = 1"))
    await stage.say()
    trainee, lead = (Caller(stage.gateway, key) for key in (TRAINEE, LEAD))
    assert await trainee.code("POST", "/v1/runs", {"message": "hi"}) == (429, "budget_exhausted")
    await lead.begin()
    await settled(stage.gateway)


async def test_the_pace(stage: Stage) -> None:
    """Sixty calls at once are made, and not many more."""
    found = await stage.ends(await stage.say({"calls": [call("find_customer", name="Ada")] * 120}))
    assert found.count("rate_limited") == 120 - found.count(None)
    assert 60 <= found.count(None) < 120


async def test_the_policy_service_is_only_watched(stage: Stage) -> None:
    """It would refuse everything: it is asked, counted, and passed over."""
    assert await stage.ends(await stage.say(refund(20))) == [None]
    found = await Caller(stage.gateway, LEAD).ask("GET", "/v1/policies")
    mine = [each for each in found["decisions"] if each["policy"] == "policy_service"]
    assert (stage.desk.judged, [(each["mode"], each["count"]) for each in mine]) == (1, [("audit", 1)])
