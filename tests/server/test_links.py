"""Answer links: shown to anybody who has one, good for one vote, and for nothing else."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest

from headgate.server.link_tokens import BadLink, Guesses, Link, read, sign
from headgate.server.seal import Seal
from headgate.testing.harness import Live, live
from tests.conftest import Tree
from tests.server.native import ASK, KEYS, LEAD, OTHER, Caller, settled
from tests.waiting import until

PUBLIC = '[server]\npublic_url = "https://gw.example.com/agents"\n'
SCRIPT = "- {call: add, args: {a: 1, b: 2}}\n- {text: Done}\n"
EVIL = "<script>alert(1)</script>\u202e\u0007&"
SEAL = Seal(lambda: "a-secret-of-the-tests-of-this-very-module")
LINK = Link("link_1", "wait_1", "hash", "approve", "lead", "0123", 5.0)


def path_of(url: str) -> str:
    """The path of a link behind the prefix that a proxy takes away."""
    assert url.startswith("https://gw.example.com/agents/links/")
    return url.removeprefix("https://gw.example.com/agents")


async def links(caller: Caller, wait: dict[str, Any], **body: Any) -> dict[str, Any]:
    """New links of an approval."""
    made: dict[str, Any] = await caller.ask("POST", f"/v1/approvals/{wait['id']}/links", body, 201)
    return made


async def state(gateway: Live, wait: dict[str, Any]) -> str:
    """What has become of an approval."""
    return str((await Caller(gateway).ask("GET", f"/v1/approvals/{wait['id']}"))["state"])


# -- tokens -----------------------------------------------------------------------------------------------------------


def test_a_token() -> None:
    """It says what was signed, and holds for one purpose, one secret and in one form alone."""
    token = sign(LINK, SEAL)
    assert read(token, SEAL) == LINK
    body, mac = token.split(".")
    last = "A" if mac[-1] != "A" else "B"
    wrong = ["", ".", "a.b", body, f"{body}.", f"{body}.{mac[:-1]}{last}", f"{body}=.{mac}", f"{mac}.{body}", "é.é",
             token + "." + mac, "x" * 5_000, f"{body[:-2]}.{mac}"]  # fmt: skip
    for each in wrong:
        with pytest.raises(BadLink):
            read(each, SEAL)
    with pytest.raises(BadLink):
        read(token, Seal(lambda: "another-secret-of-the-tests-of-this-module"))
    assert SEAL.signature("a", b"x") != SEAL.signature("b", b"x")


def test_guesses() -> None:
    """Twenty a minute from one address; others are not kept out, and a minute later it may try again."""
    now = [0.0]
    guesses = Guesses(lambda: now[0])
    assert [guesses.too_many("a") for _ in range(21)] == [False] * 20 + [True]
    assert not guesses.too_many("b")
    now[0] = 60.0
    assert not guesses.too_many("a")


# -- links ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("decision", "becomes"), [("approve", "approved"), ("deny", "denied")])
async def test_one_vote(tree: Tree, decision: str, becomes: str) -> None:
    """Looking answers nothing; the button does, once; the record names the link."""
    async with live(tree(SCRIPT, toml=PUBLIC + ASK), watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        made = await links(caller, wait)
        assert (made["for"], made["expires_at"]) == ("tester", wait["expires_at"])
        path = path_of(made[decision])
        for method in ("GET", "GET", "HEAD"):
            looked = await gateway.http.request(method, path)
            assert looked.status_code == (200 if method == "GET" else 405)
        assert await state(gateway, wait) == "pending"
        form = {"content-type": "application/x-www-form-urlencoded", "origin": "https://gw.example.com"}
        used = await gateway.http.post(path, content="reason=For+good%20reason", headers=form)
        again, other = await gateway.http.post(path), await gateway.http.post(path_of(made["approve"]))
        late = await gateway.http.get(path)
        await settled(gateway)
        found = await caller.ask("GET", f"/v1/approvals/{wait['id']}")
        audit = await caller.ask("GET", f"/v1/audit?run={run}")
    assert (used.status_code, becomes in used.text) == (200, True)
    assert (again.status_code, other.status_code, late.status_code) == (409, 409, 409)
    assert "this link was used already" in again.text
    (vote,) = found["votes"]
    assert (found["state"], vote["by"], vote["decision"], vote["reason"]) == (
        becomes, "tester", decision, "For good reason",
    )  # fmt: skip
    (record,) = [each for each in audit["items"] if each["kind"] == "approval.answered"]
    assert re.fullmatch("link_[0-9a-f]{12}", vote["via"])
    assert record["details"]["via"] == vote["via"]


async def test_the_page(tree: Tree) -> None:
    """No script, nothing from elsewhere, and what the model wrote is text, with nothing hidden in it."""
    script = "- {call: talk, args: {topic: " + repr(EVIL).replace("\\u202e", "\u202e").replace("\\x07", "") + "}}\n"
    gate = ASK.replace('"add"', '"talk"')
    async with live(tree(script, toml=PUBLIC + gate), watch=False) as gateway:
        _, (wait,) = await Caller(gateway).waiting()
        shown = await gateway.http.get(path_of((await links(Caller(gateway), wait))["approve"]))
    assert "<script" not in shown.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in shown.text
    assert "src=" not in shown.text
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["referrer-policy"] == "same-origin"
    assert shown.headers["content-type"] == "text/html; charset=utf-8"


async def test_without_a_public_url(tree: Tree) -> None:
    """Nobody knows where the link would lead."""
    async with live(tree(SCRIPT, toml=ASK), watch=False) as gateway:
        _, (wait,) = await Caller(gateway).waiting()
        code = await Caller(gateway).code("POST", f"/v1/approvals/{wait['id']}/links", {})
    assert code == (409, "no_public_url")


async def test_who_may_have_links_made(tree: Tree) -> None:
    """Each key for itself, if it may answer; for others only who may administrate approvals."""
    gate = ASK + 'approvers = ["supervisors"]\n' + KEYS
    async with live(tree(SCRIPT, toml=PUBLIC + gate), watch=False) as gateway:
        tester, lead = Caller(gateway), Caller(gateway, LEAD)
        _, (wait,) = await tester.waiting()
        path = f"/v1/approvals/{wait['id']}/links"
        assert await tester.code("POST", path, {}) == (403, "not_an_approver")
        assert await tester.code("POST", path, {"for": "nobody"}) == (422, "unknown_key")
        assert await tester.code("POST", path, {"for": "other"}) == (403, "not_an_approver")
        assert await lead.code("POST", path, {"for": "tester"}) == (403, "insufficient_scope")
        assert await Caller(gateway, OTHER).code("POST", path, {}) == (404, "approval_not_found")
        made = await links(tester, wait, **{"for": "lead"})
        assert (await links(lead, wait, expires_in=5))["expires_at"] < wait["expires_at"]
        assert (await gateway.http.post(path_of(made["approve"]))).status_code == 200
        (vote,) = (await tester.ask("GET", f"/v1/approvals/{wait['id']}"))["votes"]
        assert vote["by"] == "lead"


async def test_a_quorum(tree: Tree) -> None:
    """A link is one vote; the links of one key are not two."""
    gate = ASK + "quorum = 2\n" + KEYS
    async with live(tree(SCRIPT, toml=PUBLIC + gate), watch=False) as gateway:
        caller = Caller(gateway)
        _, (wait,) = await caller.waiting()
        first, second = await links(caller, wait), await links(caller, wait)
        posts = [gateway.http.post(path_of(each["approve"])) for each in (first, second, first)]
        assert sorted([each.status_code for each in await asyncio.gather(*posts)]) == [200, 409, 409]
        assert await state(gateway, wait) == "pending"
        desk = await links(caller, wait, **{"for": "desk"})
        assert (await gateway.http.post(path_of(desk["approve"]))).status_code == 200
        assert await state(gateway, wait) == "approved"


async def test_links_that_are_void(tree: Tree) -> None:
    """When the key has another secret, or is gone, when the question is settled, or when time is over."""
    root = tree(SCRIPT, toml=PUBLIC + ASK + KEYS)
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        _, (wait,) = await caller.waiting()
        desk, own = await links(caller, wait, **{"for": "desk"}), await links(caller, wait)
        brief = await links(caller, wait, expires_in=1)
        toml = (root / "gateway.toml").read_text()
        (root / "gateway.toml").write_text(toml.replace("the-key-of-the-desk", "another-key-of-the-desk"))
        assert (await gateway.reload())["status"] == "applied"
        void = await gateway.http.post(path_of(desk["approve"]))
        await until(lambda: time.time() > brief["expires_at"])
        late = await gateway.http.post(path_of(brief["approve"]))
        assert await state(gateway, wait) == "pending"
        await caller.ask("POST", f"/v1/approvals/{wait['id']}", {"decision": "deny"})
        other = await gateway.http.post(path_of(own["approve"]))
    assert [each.status_code for each in (void, late, other)] == [410, 410, 409]
    assert "has expired" in late.text
    assert "has answered already: deny" in other.text


async def test_guessing(tree: Tree) -> None:
    """Links that are none are not found, and after some of them nobody answers; genuine ones go on."""
    async with live(tree(SCRIPT, toml=PUBLIC + ASK), watch=False) as gateway:
        caller = Caller(gateway)
        _, (wait,) = await caller.waiting()
        made = await links(caller, wait)
        token = path_of(made["approve"])
        found = [(await gateway.http.post(f"{token[:-3]}{n:03}")).status_code for n in range(22)]
        assert found == [404] * 20 + [429] * 2
        assert await state(gateway, wait) == "pending"
        assert (await gateway.http.post(token)).status_code == 200
