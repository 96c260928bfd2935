"""The audit log through the API: what is told of everything that happens, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.testing.harness import Live, live
from tests.conftest import Tree
from tests.server.native import ASK, CALL, KEYS, OTHER, Caller

SECRET = "the-secret-argument"
TALK = f"- {{text: Saying, call: talk, args: {{topic: {SECRET}}}}}\n- {{text: Done}}\n"


async def told(gateway: Live, query: str = "") -> list[dict[str, Any]]:
    """The records, oldest first."""
    items: list[dict[str, Any]] = (await gateway.get(f"/v1/audit{query}"))["items"]
    return items[::-1]


def kinds(records: list[dict[str, Any]]) -> list[str]:
    """What the records are about."""
    return [each["kind"] for each in records]


async def test_a_run(tree: Tree) -> None:
    """A run, its call that changes something, and its end are told, each with whose it is and what it is about."""
    async with live(tree(CALL), watch=False) as gateway:
        session = await gateway.session()
        await session.say("hi")
        records = await told(gateway)
        (run,) = {each["run"] for each in records if each["run"]}
        assert await told(gateway, f"?run={run}") == records[1:]
    assert kinds(records) == ["gateway.started", "run.created", "tool.begun", "tool.called", "run.ended"]
    assert {(each["key"], each["team"], each["agent"], each["session"]) for each in records[1:]} == {
        ("tester", "default", "helper", session.id)
    }
    called, ended = records[3], records[4]
    assert (called["tool"], called["outcome"], called["details"]["step"]) == ("add", "ok", 2)
    assert called["details"]["shapes"] == {"a": "number", "b": "number"}
    assert (ended["outcome"], ended["details"]["turns"]) == ("success", 2)


@pytest.mark.parametrize(
    ("detail", "key"), [("shapes", "shapes"), ("hashes", "arguments_sha256"), ("values", "arguments")]
)
async def test_arguments(tree: Tree, detail: str, key: str) -> None:
    """Arguments are told as [audit] arguments says, and values only where it says so."""
    async with live(tree(TALK, toml=f'[audit]\narguments = "{detail}"\n'), watch=False) as gateway:
        await (await gateway.session()).say("hi")
        records = await told(gateway)
    about = [each["details"] for each in records if each["kind"].startswith("tool.")]
    assert [key in each for each in about] == [True, True]
    assert (SECRET in json.dumps(records)) == (detail == "values")


async def test_questions_and_answers(tree: Tree) -> None:
    """An approval that is asked and answered is told, with who answered and why; so is what a policy decides."""
    async with live(tree(CALL, toml=ASK + KEYS), watch=False) as gateway:
        _, (wait,) = await Caller(gateway).waiting()
        body = {"decision": "deny", "reason": "not today"}
        await gateway.http.post(f"/v1/approvals/{wait['id']}", json=body, headers=dict(gateway.headers))
        records = await told(gateway)
    asked = next(each for each in records if each["kind"] == "approval.asked")
    answered = next(each for each in records if each["kind"] == "approval.answered")
    assert (asked["policy"], asked["tool"], asked["outcome"], asked["details"]["wait"]) == (
        "gate", "add", "pending", wait["id"],
    )  # fmt: skip
    assert (answered["key"], answered["team"], answered["outcome"]) == ("tester", "default", "deny")
    assert answered["details"] == {"wait": wait["id"], "reason": "not today"}


async def test_a_policy_that_denies(tree: Tree) -> None:
    """What a policy refuses is told with its name, in the transaction of the call's result."""
    async with live(tree(CALL, toml=ASK.replace('"ask"', '"deny"')), watch=False) as gateway:
        await (await gateway.session()).say("hi")
        records = await told(gateway)
    assert kinds(records)[1:] == ["run.created", "policy.decided", "tool.called", "run.ended"]
    assert [(each["outcome"], each["policy"]) for each in records[2:4]] == [("deny", "gate"), ("denied", None)]
    assert records[3]["details"]["error"] == "policy_denied"


async def test_the_gateway_itself(tree: Tree) -> None:
    """Reloads with who asked for them, requests to administrate and refused keys are told; reading is not."""
    async with live(tree(toml=KEYS), watch=False) as gateway:
        await gateway.reload()
        gateway.edit("agents/helper.md", "---\ndescription: Other.\nmodel: default/auto\n---\nHi.\n")
        await gateway.reload()
        gateway.edit("agents/helper.md", "---\nmisspelt: yes\n---\nHi.\n")
        await gateway.reload()
        await gateway.http.get("/v1/status", headers={"authorization": "Bearer wrong-key"})
        await gateway.http.post("/v1/admin/reload", headers={"authorization": f"Bearer {OTHER}"})
        await gateway.get("/v1/agents")
        records = await told(gateway)
    assert kinds(records) == [
        "gateway.started", "admin.request", "reload.applied", "admin.request", "reload.rejected", "admin.request",
        "auth.refused", "auth.refused",
    ]  # fmt: skip
    applied, rejected, broken = records[2], records[4], records[5]
    assert (applied["key"], applied["details"]["changed"], applied["details"]["asked"]) == ("tester", 1, "key")
    assert (rejected["outcome"], rejected["details"]["errors"] > 0) == ("rejected", True)
    assert (broken["outcome"], broken["details"]["status"]) == ("error", 422)
    assert [each["outcome"] for each in records[-2:]] == ["unauthenticated", "forbidden"]
    assert "wrong-key" not in json.dumps(records)


async def test_the_watch(tree: Tree) -> None:
    """A revision that becomes live by an edit is told, by nobody's key."""
    async with live(tree()) as gateway:
        before = (await gateway.get("/v1/status"))["revision"]
        gateway.edit("agents/helper.md", "---\ndescription: Other.\nmodel: default/auto\n---\nHi.\n")
        while (await gateway.get("/v1/status"))["revision"] == before:
            pass
        while not (found := await told(gateway, "?kind=reload.applied")):
            pass
    assert (found[0]["key"], found[0]["details"]["asked"]) == ("", "watch")


async def test_pages_and_filters(tree: Tree) -> None:
    """Pages lead through the whole log; times and keys narrow it; nonsense is refused."""
    async with live(tree(CALL), watch=False) as gateway:
        await (await gateway.session()).say("hi")
        whole, found, cursor = await gateway.get("/v1/audit"), [], ""
        while True:
            page = await gateway.get(f"/v1/audit?limit=2{cursor}")
            found += page["items"]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert found == whole["items"]
        assert kinds(await told(gateway, "?kind=run.ended&key=tester")) == ["run.ended"]
        assert await told(gateway, "?from=2100-01-01") == []
        assert await told(gateway, "?to=2020-01-01T00:00:00Z") == []
        assert len(await told(gateway, "?from=2020-01-01")) == len(found)
        assert (await gateway.get("/v1/audit?from=yesterday", 422))["error"]["code"] == "invalid_time"


async def test_verification(tree: Tree) -> None:
    """The chain is checked through the API, against the head that the status told earlier."""
    async with live(tree(), watch=False) as gateway:
        head = (await gateway.get("/v1/status"))["audit"]
        await (await gateway.session()).say("hi")
        done = await gateway.get(f"/v1/audit/verify?head={head}")
        assert (done["ok"], done["records"], done["broken"]) == (True, 3, None)
        n, _, found = head.partition(":")
        forged = await gateway.get(f"/v1/audit/verify?head={n}:{'0' * 64}")
        ahead = await gateway.get(f"/v1/audit/verify?head=99:{found}")
        await gateway.get("/v1/audit/verify?head=nonsense", 422)
    assert (forged["ok"], forged["broken"], ahead["ok"], ahead["broken"]) == (False, 1, False, 4)


async def test_who_may_read_it(tree: Tree) -> None:
    """Only who has the scope reads the log; a key that may chat has not."""
    async with live(tree(toml=KEYS), watch=False) as gateway:
        refused = await gateway.http.get("/v1/audit", headers={"authorization": f"Bearer {OTHER}"})
    assert refused.status_code == 403
