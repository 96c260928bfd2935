"""A question of an MCP server is a wait of the run: shown, answered once, and told to the server, in both eras."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from headgate.testing.harness import live
from tests.conftest import Tree
from tests.elicitation.asking import ADA, ERAS, SEEN, asked, desk, gone, inquiring, of, outcomes, reply, until_true
from tests.mcp.servers import said
from tests.server.native import DESK, KEYS, OTHER, Caller

era = pytest.mark.parametrize("era", ERAS)


@era
async def test_a_question_is_answered(tree: Tree, era: str) -> None:
    """Server, message and form are shown; the content goes to the server with defaults, and is shown to nobody."""
    async with live(tree(inquiring(), toml=desk(era), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        (wait,) = await asked(caller, run)
        done = await reply(caller, wait)
        told = await caller.told(run)
        kept = (await gateway.gateway.edge.host.ledger.wait(wait["id"])) or pytest.fail("it is gone")
    assert (wait["kind"], wait["tool"], wait["state"]) == ("input", "desk__inquire", "pending")
    assert (wait["input"]["server"], wait["input"]["mode"]) == ("desk", "form")
    assert wait["input"]["message"] == "Who are you? (1)"
    assert wait["input"]["schema"]["properties"]["name"] == {"type": "string", "title": "Your name", "minLength": 2}
    assert (done["state"], done["result"]) == ("answered", None)
    assert [(each["by"], each["decision"]) for each in done["votes"]] == [("tester", "accept")]
    assert outcomes(told) == [{"got": {"q1": SEEN}, "made": 2 if era == "modern" else 1}]
    (requested,), (resolved,) = of(told, "input.requested"), of(told, "input.resolved")
    assert (requested["id"], requested["kind"], requested["server"]) == (wait["id"], "input", "desk")
    assert (resolved["state"], resolved["action"], resolved["by"]) == ("answered", "accept", "tester")
    assert "Ada" not in str((requested, resolved, done))
    assert (kept.result, kept.round) == (None, None)


@era
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_person_does_not_want_to(tree: Tree, era: str, action: str) -> None:
    """The server is told how, and decides what its call comes to."""
    async with live(tree(inquiring(), toml=desk(era), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        (wait,) = await asked(caller, run)
        await reply(caller, wait, {"action": action})
        (result,) = outcomes(await caller.told(run))
    assert result["got"] == {"q1": {"action": action}}


@era
async def test_several_questions_and_rounds(tree: Tree, era: str) -> None:
    """All of them are asked, one after the other, and each reply gets to its own question."""
    script = inquiring({"questions": 2, "rounds": 2})
    async with live(tree(script, toml=desk(era), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        for number in range(1, 5):
            (wait,) = await asked(caller, run)
            assert wait["input"]["message"] == f"Who are you? ({number})"
            await reply(caller, wait, {"action": "accept", "content": {"name": f"Ada {number}"}})
        (result,) = outcomes(await caller.told(run))
    names = {name: each["content"]["name"] for name, each in result["got"].items()}
    assert names == {f"q{number}": f"Ada {number}" for number in range(1, 5)}


@era
async def test_calls_that_ask_side_by_side(tree: Tree, era: str) -> None:
    """Each call gets the reply to its own question, whichever is answered first."""
    script = inquiring({"message": "Red"}, {"message": "Blue"})
    async with live(tree(script, toml=desk(era), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        for wait in reversed(await asked(caller, run, 2)):
            name = wait["input"]["message"].split()[0]
            await reply(caller, wait, {"action": "accept", "content": {"name": name}})
        told = await caller.told(run)
    assert len(of(told, "input.requested")) == 2
    colours = {"Red": "Red", "Blue": "Blue"}
    calls = {each["call_id"]: each["args"]["message"] for each in of(told, "tool.started")}
    for each in of(told, "tool.completed"):
        (said,) = each["result"]["structured"]["got"].values()
        assert said["content"]["name"] == colours[calls[each["call_id"]]]


@era
async def test_the_first_answer_counts(tree: Tree, era: str) -> None:
    """Of many that answer at once one is heard, and the others are told."""
    async with live(tree(inquiring(), toml=desk(era), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        (wait,) = await asked(caller, run)
        path = f"/v1/waits/{wait['id']}/answer"
        answers = await asyncio.gather(*(caller.send("POST", path, ADA) for _ in range(5)))
        await caller.told(run)
    assert sorted(each.status_code for each in answers) == [200, 409, 409, 409, 409]
    assert {each.json()["error"]["code"] for each in answers if each.status_code == 409} == {"already_resolved"}


@era
async def test_nobody_answers(tree: Tree, era: str) -> None:
    """When the time is over the server is told that nobody chose, and an answer is refused."""
    toml = desk(era, elicitation_timeout='"20ms"')
    async with live(tree(inquiring(), toml=toml, tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        told = await caller.told(run)
        (wait,) = (await caller.ask("GET", f"/v1/waits?run={run}"))["items"]
        late = await caller.code("POST", f"/v1/waits/{wait['id']}/answer", ADA)
    assert outcomes(told)[0]["got"] == {"q1": {"action": "cancel"}}
    assert (wait["state"], late) == ("expired", (410, "expired"))
    assert [each["state"] for each in of(told, "input.resolved")] == ["expired"]


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"action": "accept"}, "#/content", "name is missing"),
    ({"action": "accept", "content": {"name": 7}}, "#/content/name", "name must be of the type string"),
    ({"action": "accept", "content": {"name": "A"}}, "#/content/name", "name does not keep minLength 2"),
    ({"action": "accept", "content": {"name": "Ada", "age": -1}}, "#/content/age", "age does not keep minimum 0"),
    ({"action": "accept", "content": {"name": "Ada", "plan": "s3cret"}}, "#/content/plan", "plan must be one of the"),
    ({"action": "accept", "content": {"name": "Ada", "x": 1}}, "#/content", "the form has no such field"),
]


@pytest.mark.parametrize(("body", "pointer", "words"), WRONG)
async def test_content_that_does_not_fit(tree: Tree, body: dict[str, Any], pointer: str, words: str) -> None:
    """Each fault is named with its place and without the value, and the question stays open."""
    async with live(tree(inquiring(), toml=desk("modern"), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        (wait,) = await asked(caller, run)
        found = await caller.ask("POST", f"/v1/waits/{wait['id']}/answer", body, 422)
        still = await caller.ask("GET", f"/v1/waits/{wait['id']}")
    (error,) = found["errors"]
    assert error["pointer"] == pointer
    assert error["detail"].startswith(words)
    assert "s3cret" not in str(found)
    assert still["state"] == "pending"


@pytest.mark.parametrize(
    "body",
    [
        {}, {"decision": "done"}, {"result": 1}, {"action": "accept", "content": {"name": "Ada"}, "reason": "x"},
        {"action": "decline", "content": {"name": "Ada"}},
    ],
)  # fmt: skip
async def test_answers_of_another_kind(tree: Tree, body: dict[str, Any]) -> None:
    """They are refused rather than taken for something else."""
    async with live(tree(inquiring(), toml=desk("modern"), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        (wait,) = await asked(caller, await caller.begin())
        found = await caller.code("POST", f"/v1/waits/{wait['id']}/answer", body)
    assert found == (422, "wrong_answer")


async def test_who_may_answer(tree: Tree) -> None:
    """The run's own key and those who answer for everybody; for others the question does not exist."""
    async with live(tree(inquiring(), toml=KEYS + desk("modern"), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        (wait,) = await asked(caller, run)
        path = f"/v1/waits/{wait['id']}/answer"
        assert await Caller(gateway, OTHER).code("POST", path, ADA) == (404, "wait_not_found")
        assert (await Caller(gateway, DESK).ask("POST", path, ADA))["votes"][0]["by"] == "desk"
        assert outcomes(await caller.told(run))[0]["got"] == {"q1": SEEN}


@era
async def test_an_address_to_visit(tree: Tree, era: str) -> None:
    """It is shown, and accepted without content."""
    script = inquiring({"url": "https://pay.example.com/x?id=1"})
    async with live(tree(script, toml=desk(era), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        (wait,) = await asked(caller, run)
        refused = await caller.code("POST", f"/v1/waits/{wait['id']}/answer", ADA)
        await reply(caller, wait, {"action": "accept"})
        (result,) = outcomes(await caller.told(run))
    assert (wait["input"]["mode"], wait["input"]["url"]) == ("url", "https://pay.example.com/x?id=1")
    assert refused == (422, "wrong_answer")
    assert result["got"] == {"q1": {"action": "accept"}}


@era
@pytest.mark.parametrize(
    "args",
    [
        {"url": "http://pay.example.com"}, {"url": "javascript:alert(1)"}, {"url": "https://bank.com@evil.com/"},
        {"schema": {"type": "object", "properties": {"x": {"type": "object"}}}},
    ],
)  # fmt: skip
async def test_questions_that_nobody_is_asked(tree: Tree, era: str, args: dict[str, Any]) -> None:
    """An address that is not one of https, and a form that MCP does not have, are declined for the person."""
    async with live(tree(inquiring(args), toml=desk(era), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        told = await caller.told(await caller.begin())
    assert outcomes(told)[0]["got"] == {"q1": {"action": "decline"}}
    assert not of(told, "input.requested")


@era
async def test_a_server_whose_questions_are_declined(tree: Tree, era: str) -> None:
    """With `elicitation = "decline"` nobody is asked, whatever the server tries."""
    toml = desk(era, elicitation='"decline"')
    async with live(tree(inquiring(), toml=toml, tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        told = await caller.told(await caller.begin())
    (said,) = outcomes(told)[0]["got"].values()
    assert said == {"action": "decline"} or said["error"]["message"] == "Elicitation not supported"
    assert not of(told, "input.requested")


@era
async def test_hidden_characters_are_stripped(tree: Tree, era: str) -> None:
    """What people do not see is in no message."""
    script = inquiring({"message": "Who\u200b are\u202e you\u0007?"})
    async with live(tree(script, toml=desk(era), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        (wait,) = await asked(caller, await caller.begin())
    assert wait["input"]["message"] == "Who are you? (1)"


async def test_the_time_of_an_answer_is_no_time_of_the_call(tree: Tree) -> None:
    """The limits of a call that is held, and of its run, do not count while somebody is asked."""
    toml = desk("legacy", timeout='"4s"')
    async with live(tree(inquiring(), toml=toml, tools=[], timeout="5s"), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        (wait,) = await asked(caller, run)
        await asyncio.sleep(5.5)  # longer than both
        await reply(caller, wait)
        told = await caller.told(run)
    assert outcomes(told)[0]["got"] == {"q1": SEEN}
    assert told[-1].event == "run.completed"


@era
async def test_cancelling_the_run(tree: Tree, era: str) -> None:
    """The question is void, an answer is refused, and a call that is held is cancelled on the server."""
    script = inquiring() + "- {text: never}\n"
    async with live(tree(script, toml=desk(era), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        (wait,) = await asked(caller, run)
        await caller.send("POST", f"/v1/runs/{run}/cancel")
        await gone(caller)
        found = await caller.ask("GET", f"/v1/waits/{wait['id']}")
        late = await caller.code("POST", f"/v1/waits/{wait['id']}/answer", ADA)
        upstream: Any = gateway.gateway.snapshot.servers["desk"]

        async def cancelled() -> bool:
            return bool(await said(upstream, "cancelled") == "1")

        if era == "legacy":
            await until_true(cancelled)
    assert (found["state"], late) == ("cancelled", (409, "already_resolved"))


@era
async def test_a_kill_switch(tree: Tree, era: str) -> None:
    """A run that waits for what a stopped server asks is ended, and its question is void."""
    async with live(tree(inquiring(), toml=desk(era), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        (wait,) = await asked(caller, run)
        await caller.ask("POST", "/v1/admin/kill-switches", {"kind": "server", "target": "desk", "reason": "test"}, 201)
        told = await caller.told(run)
        found = await caller.ask("GET", f"/v1/waits/{wait['id']}")
    assert (told[-1].event, told[-1].data["outcome"]) == ("run.cancelled", "revoked")
    assert found["state"] == "cancelled"


@era
async def test_nothing_of_an_answer_is_in_the_audit_log(tree: Tree, era: str, tmp_path: Path) -> None:
    """The audit log has who answered, and the shapes of what was entered."""
    async with live(tree(inquiring(), toml=desk(era), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        (wait,) = await asked(caller, run)
        await reply(caller, wait)
        await caller.told(run)
        log = (await caller.ask("GET", f"/v1/audit?run={run}"))["items"]
    told = {each["kind"]: each for each in log}
    assert told["input.asked"]["details"]["server"] == "desk"
    assert told["input.answered"]["outcome"] == "accept"
    assert told["input.answered"]["details"]["shapes"]["name"] == "string(3)"
    assert "Ada" not in str(log)
