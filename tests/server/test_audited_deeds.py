"""The audit log through the API: votes, rules that are only watched, keys, grants, and what an interceptor adds."""

from __future__ import annotations

import json
from typing import Any

from headgate.testing.harness import live
from tests.conftest import Tree
from tests.server.native import ASK, CALL, KEYS, LEAD, OTHER, REMEMBER, Caller
from tests.server.test_audit import told
from tests.server.test_votes import BOTH

READER = '\n[auth.keys.{name}]\nkey = "the-key-of-{name}"\nteam = "{team}"\nscopes = ["audit:read", "chat"]\n'
TEAMS = READER.format(name="reader", team="default") + READER.format(name="stranger", team="elsewhere")
WATCH = '[interceptors.watch]\nkind = "audit"\narguments = "full"\nturns = "shape"\n'


async def test_every_vote(tree: Tree) -> None:
    """Each vote of a quorum is told with whose it is and what it left the question in."""
    async with live(tree(CALL, toml=BOTH), watch=False) as gateway:
        _, (wait,) = await Caller(gateway).waiting()
        for key in (LEAD, OTHER):
            await Caller(gateway, key).ask("POST", f"/v1/approvals/{wait['id']}", {"decision": "approve"})
        votes = await told(gateway, "?kind=approval.answered")
    assert [(each["key"], each["team"], each["outcome"], each["details"]["state"]) for each in votes] == [
        ("lead", "supervisors", "approve", "pending"), ("other", "default", "approve", "approved"),
    ]  # fmt: skip


async def test_edited_arguments(tree: Tree) -> None:
    """That a person changed the arguments is told, without the arguments."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        _, (wait,) = await Caller(gateway).waiting()
        body = {"decision": "approve", "edited_args": {"a": 41, "b": 1}}
        await Caller(gateway).ask("POST", f"/v1/approvals/{wait['id']}", body)
        (vote,) = await told(gateway, "?kind=approval.answered")
    assert (vote["outcome"], vote["details"]["edited"]) == ("approve", {"a": "number", "b": "number"})


async def test_the_chat_api_votes_too(tree: Tree) -> None:
    """An answer of a chat client is told like any other."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        session = await gateway.session()
        async with session.stream(messages=[{"role": "user", "content": "hi"}]) as events:
            async for event in events:
                if event["type"] == "tool_approval_request":
                    body = {"tool_call_id": event["tool_call_id"], "nonce": event["nonce"], "approved": False}
                    await gateway.http.post("/api/chat/tool-approval", json=body, headers=session.headers)
        (vote,) = await told(gateway, "?kind=approval.answered")
    assert (vote["key"], vote["outcome"], vote["session"]) == ("tester", "deny", session.id)


async def test_watched_rules(tree: Tree) -> None:
    """What a rule would have done, if it counted, is told as that; it is no decision."""
    toml = ASK.replace('"ask"', '"deny"') + 'mode = "audit"\n'
    async with live(tree(CALL, toml=toml), watch=False) as gateway:
        await (await gateway.session()).say("hi")
        (watched,) = await told(gateway, "?kind=policy.watched")
        decided = await told(gateway, "?kind=policy.decided")
    assert (watched["policy"], watched["outcome"], watched["tool"]) == ("gate", "would_deny", "add")
    assert (watched["details"]["mode"], decided) == ("audit", [])


async def test_what_an_interceptor_adds(tree: Tree) -> None:
    """Calls and turns are told in the detail that the interceptor states, and are found by their kind."""
    async with live(tree(CALL, toml=WATCH), watch=False) as gateway:
        await (await gateway.session()).say("hi")
        (call,) = await told(gateway, "?kind=audit.call")
        turns = await told(gateway, "?kind=audit.turn")
        assert (await gateway.get("/v1/audit/verify"))["ok"]
    assert (call["policy"], call["tool"], call["outcome"], call["details"]["step"]) == ("watch", "add", "ok", 2)
    assert call["details"]["arguments"] == {"a": 1, "b": 2}
    assert "result" not in call["details"]
    assert [each["outcome"] for each in turns] == ["tools", "end"]
    assert "Adding" not in json.dumps(turns)


async def test_keys_and_grants(tree: Tree) -> None:
    """Keys that come, change and go are told by name, and so is who takes a remembered approval back."""
    async with live(tree(CALL, toml=REMEMBER + KEYS), watch=False) as gateway:
        before = (gateway.root / "gateway.toml").read_text(encoding="utf-8")
        gateway.edit("gateway.toml", before.replace("auth.keys.robot", "auth.keys.machine").replace(LEAD, f"{LEAD}-2"))
        await gateway.reload()
        session = await gateway.session()
        await gateway.http.delete(f"/v1/sessions/{session.id}/grants?tool=add", headers=dict(gateway.headers))
        (applied,) = await told(gateway, "?kind=reload.applied")
        (taken,) = await told(gateway, "?kind=grants.revoked")
    assert applied["details"]["keys"] == ["+machine", "-robot", "~lead"]
    assert (taken["key"], taken["session"], taken["tool"]) == ("tester", session.id, "add")


async def test_refusals_name_the_key(tree: Tree) -> None:
    """Of a key that may not, natively or in the chat API, the name is told."""
    async with live(tree(toml=KEYS), watch=False) as gateway:
        await Caller(gateway, OTHER).send("GET", "/v1/audit")
        body = {"api_key": "the-key-of-the-desk"}
        assert (await gateway.http.post("/api/chat/init", json=body)).status_code == 403
        records = await told(gateway, "?kind=auth.refused")
    assert [(each["key"], each["outcome"]) for each in records] == [("other", "forbidden"), ("desk", "forbidden")]


async def test_a_team_reads_its_own(tree: Tree) -> None:
    """With `audit:read` a key sees the records of its own team and no others, and cannot check the chain."""
    async with live(tree(CALL, toml=TEAMS), watch=False) as gateway:
        await (await gateway.session()).say("hi")

        async def seen(name: str) -> list[dict[str, Any]]:
            reader = Caller(gateway, f"the-key-of-{name}")
            found: list[dict[str, Any]] = (await reader.ask("GET", "/v1/audit"))["items"]
            return found

        own, foreign = await seen("reader"), await seen("stranger")
        refused = await Caller(gateway, "the-key-of-reader").code("GET", "/v1/audit/verify")
    assert {each["team"] for each in own} == {"default"}
    assert [each["kind"] for each in own][::-1] == ["run.created", "tool.begun", "tool.called", "run.ended"]
    assert (foreign, refused) == ([], (403, "insufficient_scope"))
