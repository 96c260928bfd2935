"""Each policy is tried by every path to a tool: none of them makes a call that the policy holds or refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.testing.harness import Live, live, write_tree
from tests import workshop
from tests.conftest import Tree
from tests.server.native import KEYS, LEAD, OTHER, PICK, Caller, Frame, settled
from tests.server.test_chat_tools import APPROVAL, NOBODY, answer, asked

APPROVE, DENY = {"decision": "approve"}, {"decision": "deny"}
ASK = '[approvals.gate]\ntools = ["wait"]\ndecide = "ask"\n'
ONE = "- {call: wait, args: {name: one}}\n- {text: Done}\n"
TWICE = "- {call: wait, args: {name: one}}\n- {call: wait, args: {name: two}}\n- {text: Done}\n"
SEVERAL = """
- calls:
  - {call: wait, args: {name: one}}
  - {call: wait, args: {name: two}}
  - {call: wait, args: {name: one}}
"""
POLICIES = {
    "ask": (ASK, "pending"),
    "deny": (ASK.replace('"ask"', '"deny"'), "policy_denied"),
    "condition": (ASK + 'when = "args.name != \'three\'"\n', "pending"),
    "deny by condition": (ASK.replace('"ask"', '"deny"') + 'when = "!tool.read_only"\n', "policy_denied"),
    "ask, failing": (ASK + 'when = "args[args.name] == 1"\n', "pending"),
    "deny, failing": (ASK.replace('"ask"', '"deny"') + 'when = "args[args.name] == 1"\n', "policy_denied"),
    "allow, failing": (
        '[approvals.free]\ntools = ["wait"]\ndecide = "allow"\nwhen = "args[args.name] == 1"\n' + ASK, "pending",
    ),
    "glob": (ASK.replace('"wait"', '"w*t"'), "pending"),
    "quorum": (ASK + 'quorum = 2\n[auth.keys.second]\nkey = "the-key-of-the-second"\n', "pending"),
    "qualifier": (ASK + 'remember = "session"\nqualifier = "args.name"\n', "pending"),
    "named": ('[approvals.gate]\ntools = ["wait"]\ndecide = "ask"\napply = "named"\n', "pending"),
}  # fmt: skip


@pytest.fixture
def made() -> Iterator[list[str]]:
    """The calls that the tool has had; it answers at once."""
    workshop.entered.clear()
    for name in ("one", "two"):
        workshop.gate(name).set()
    yield workshop.entered
    workshop.entered.clear()
    workshop.gates.clear()


async def held(caller: Caller, run: str) -> list[str]:
    """What became of the calls of the run: questions that are pending, or the code of what was refused."""
    waits = (await caller.ask("GET", f"/v1/waits?run={run}&state=pending"))["items"]
    return [*("pending" for _ in waits), *refusals(await steps(caller, run))]


async def steps(caller: Caller, run: str) -> list[dict[str, Any]]:
    """The tool calls of a run that have their result."""
    found = await caller.ask("GET", f"/v1/runs/{run}/steps")
    return [each for each in found["items"] if each["kind"] == "tool"]


def refusals(found: list[dict[str, Any]]) -> list[str]:
    """The codes of the calls that failed."""
    return [each["result"]["error"]["code"] for each in found if each["result"]["error"]]


def codes(told: list[Frame]) -> list[str | None]:
    """The codes with which the calls of a run ended; None for those that were made."""
    ends = [each.data["result"] for each in told if each.event == "tool.completed"]
    return [(each.get("error") or {}).get("code") for each in ends]


async def edit(gateway: Live, **files: str) -> str:
    """What becomes of an edit of the tree."""
    write_tree(gateway.root, {name.replace("__", "/").replace("_toml", ".toml"): text for name, text in files.items()})
    return str((await gateway.reload())["status"])


def toml(root: Path) -> str:
    """The tree's `gateway.toml`."""
    return (root / "gateway.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("script", [ONE, SEVERAL], ids=["alone", "in parallel"])
async def test_a_call(tree: Tree, made: list[str], name: str, script: str) -> None:
    """No policy lets a call pass because others are made beside it, or because its expression fails."""
    policy, expected = POLICIES[name]
    named = {"approvals": ["gate"]} if name == "named" else {}
    async with live(tree(script, toml=policy, **named), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        await settled(gateway)
        found = await held(caller, run)
    assert (found, made) == ([expected] * (3 if script == SEVERAL else 1), [])


async def test_parallel_calls_are_approved_one_by_one(tree: Tree, made: list[str]) -> None:
    """An answer is for one call, also where another call of the turn has the same arguments."""
    async with live(tree(SEVERAL, toml=ASK), watch=False) as gateway:
        caller = Caller(gateway)
        run, waits = await caller.waiting()
        (one,) = [each for each in waits if each["args"] == {"name": "two"}]
        await caller.ask("POST", f"/v1/approvals/{one['id']}", APPROVE)
        await settled(gateway)
        state, left = await caller.state(run), await held(caller, run)
    assert (made, state, left) == (["two"], "waiting", ["pending", "pending"])


async def test_a_tool_under_another_name(tree: Tree, made: list[str]) -> None:
    """Names that only look like the tool's are no tool; a glob holds a file that is renamed, and a policy that names a
    tool which is not there any more is refused with the whole edit."""
    script = "- calls: [{call: WAIT, args: {name: one}}, {call: 'wait ', args: {name: one}}]\n- {text: Done}\n"
    root = tree(script, toml=ASK)
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        await settled(gateway)
        found = refusals(await steps(caller, run))
        manifest = (root / "tools/wait.yaml").read_text(encoding="utf-8")
        (root / "tools/wait.yaml").unlink()
        renamed = {"tools/waiting.yaml": manifest, "script.yaml": ONE.replace("call: wait", "call: waiting")}
        write_tree(root, renamed)
        rejected = (await gateway.reload())["status"]
        await edit(gateway, gateway_toml=toml(root).replace('"wait"', '"wait*"'))
        _, (wait,) = await caller.waiting()
    assert (found, rejected, wait["tool"], made) == (["unknown_tool"] * 2, 422, "waiting", [])


async def test_a_tool_that_is_renamed_between_ask_and_answer(tree: Tree, made: list[str]) -> None:
    """The answer was for the tool of that name: the call is not made under another."""
    root = tree(ONE, toml=ASK.replace('"wait"', '"wait*"'))
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        manifest = (root / "tools/wait.yaml").read_text(encoding="utf-8")
        (root / "tools/wait.yaml").unlink()
        write_tree(root, {"tools/waiting.yaml": manifest})
        assert (await gateway.reload())["status"] == "applied"
        await caller.ask("POST", f"/v1/approvals/{wait['id']}", APPROVE)
        told = await caller.told(run)
    assert (codes(told), made) == (["unknown_tool"], [])


async def test_other_arguments_after_an_approval(tree: Tree, made: list[str]) -> None:
    """The next call, with other arguments, is asked about again."""
    async with live(tree(TWICE, toml=ASK), watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        await caller.ask("POST", f"/v1/approvals/{wait['id']}", APPROVE)
        await settled(gateway)
        (second,) = (await caller.ask("GET", f"/v1/approvals?run={run}&state=pending"))["items"]
    assert (second["args"], made) == ({"name": "two"}, ["one"])


async def test_an_edit_that_a_policy_denies(tree: Tree, made: list[str]) -> None:
    """Who may approve cannot put arguments in place that are denied."""
    never = '[approvals.never]\ntools = ["wait"]\nwhen = "args.name == \'two\'"\ndecide = "deny"\n'
    async with live(tree(ONE, toml=never + ASK), watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        await caller.ask("POST", f"/v1/approvals/{wait['id']}", {**APPROVE, "edited_args": {"name": "two"}})
        told = await caller.told(run)
    assert (codes(told), made) == (["policy_denied"], [])


async def test_a_reload_between_ask_and_answer(tree: Tree, made: list[str]) -> None:
    """The stricter policy wins: what is denied by then is not made, whoever has approved it."""
    root = tree(ONE, toml=ASK)
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        assert await edit(gateway, gateway_toml=toml(root).replace('"ask"', '"deny"')) == "applied"
        await caller.ask("POST", f"/v1/approvals/{wait['id']}", APPROVE)
        told = await caller.told(run)
    assert (codes(told), made) == (["policy_denied"], [])


async def test_a_milder_policy_between_ask_and_denial(tree: Tree, made: list[str]) -> None:
    """A person who said no is not overruled by an edit that would have asked nobody."""
    root = tree(ONE, toml=ASK)
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        assert await edit(gateway, gateway_toml=toml(root).replace('"ask"', '"allow"')) == "applied"
        await caller.ask("POST", f"/v1/approvals/{wait['id']}", DENY)
        told = await caller.told(run)
    assert (codes(told), made) == (["user_denied"], [])


async def test_approvers_at_once(tree: Tree, made: list[str]) -> None:
    """Of one who approves and one who denies the first is heard, and the call is made only if that approved."""
    policy = ASK + 'approvers = ["supervisors", "other"]\n' + KEYS
    async with live(tree(ONE, toml=policy), watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        path = f"/v1/approvals/{wait['id']}"
        yes, no = await asyncio.gather(
            Caller(gateway, LEAD).send("POST", path, APPROVE), Caller(gateway, OTHER).send("POST", path, DENY)
        )
        told = await caller.told(run)
    assert {yes.status_code, no.status_code} == {200, 409}
    assert (codes(told), made) == (([None], ["one"]) if yes.status_code == 200 else (["user_denied"], []))


async def test_one_of_two_approvers(tree: Tree, made: list[str]) -> None:
    """A key that answers twice, in the chat or natively, is no quorum."""
    async with live(tree(ONE, toml=POLICIES["quorum"][0]), watch=False) as gateway:
        session = await gateway.session()
        async with asked(session) as (_, (frame,)):
            assert (await answer(session, APPROVAL, frame, approved=True))[0] == 200
            assert (await answer(session, APPROVAL, frame, approved=True))[0] == 409
            (wait,) = (await Caller(gateway).ask("GET", "/v1/approvals?state=pending"))["items"]
            assert await Caller(gateway).code("POST", f"/v1/approvals/{wait['id']}", APPROVE) == (409, "already_voted")
    assert made == []


async def test_a_grant_with_another_qualifier(tree: Tree, made: list[str]) -> None:
    """What is remembered for one qualifier does not cover a call with another, nor that of another session."""
    async with live(tree(TWICE, toml=POLICIES["qualifier"][0]), watch=False) as gateway:
        caller, session = Caller(gateway), await gateway.session()
        run, (wait,) = await caller.waiting(session_id=session.id)
        await caller.ask("POST", f"/v1/approvals/{wait['id']}", {**APPROVE, "remember": True})
        await settled(gateway)
        (second,) = (await caller.ask("GET", f"/v1/approvals?run={run}&state=pending"))["items"]
        _, (other,) = await caller.waiting()
    assert [second["qualifier"], other["qualifier"]] == ["two", "one"]
    assert made == ["one"]


async def test_a_wrong_nonce(tree: Tree, made: list[str]) -> None:
    """Who was not told the question cannot answer it in the chat."""
    async with live(tree(ONE, toml=ASK), watch=False) as gateway:
        session = await gateway.session()
        async with asked(session) as (_, (frame,)):
            found = await answer(session, APPROVAL, {**frame, "nonce": NOBODY}, approved=True)
            (wait,) = (await Caller(gateway).ask("GET", "/v1/approvals?state=pending"))["items"]
    assert (found, wait["state"], made) == ((409, {"error": "Nonce mismatch"}), "pending", [])


async def test_an_approval_of_another_session(tree: Tree, made: list[str]) -> None:
    """A question is answered in its own session, or by a key that may: not with the token of another session, and not
    by another key that knows its id."""
    async with live(tree(ONE, toml=ASK + KEYS), watch=False) as gateway:
        session, other = await gateway.session(), await gateway.session()
        async with asked(session) as (_, (frame,)):
            stranger = (await answer(other, APPROVAL, frame, approved=True))[0]
            (wait,) = (await Caller(gateway).ask("GET", "/v1/approvals?state=pending"))["items"]
            code = await Caller(gateway, OTHER).code("POST", f"/v1/approvals/{wait['id']}", APPROVE)
    assert (stranger, code, made) == (404, (404, "approval_not_found"), [])


async def test_a_client_tool(tree: Tree) -> None:
    """A front end is asked for nothing that a policy holds or denies, and a result that nobody asked for is none."""
    gate = ASK.replace('"wait"', '"pick"')
    async with live(tree("- {call: pick, args: {}}\n- {text: Done}\n", toml=gate, files=PICK), watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        body = {"result": {"done": True}}
        assert wait["kind"] == "approval"
        assert await caller.code("POST", f"/v1/waits/{wait['id']}/answer", body) == (422, "wrong_kind")
        await caller.ask("POST", f"/v1/approvals/{wait['id']}", DENY)
        told = await caller.told(run)
    assert codes(told) == ["user_denied"]


async def test_a_link_of_somebody_who_may_not_answer_any_more(tree: Tree, made: list[str]) -> None:
    """A reload between the link and its use counts, and a denial by a policy is not overruled by a link."""
    public = '[server]\npublic_url = "https://gw.example.com"\n'
    root = tree(ONE, toml=public + ASK + 'approvers = ["tester", "default"]\n')
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        links = await caller.ask("POST", f"/v1/approvals/{wait['id']}/links", {}, 201)
        path = links["approve"].removeprefix("https://gw.example.com")
        assert await edit(gateway, gateway_toml=toml(root).replace('decide = "ask"', 'decide = "deny"')) == "applied"
        await gateway.http.post(path)
        told = await caller.told(run)
    assert (codes(told), made) == (["policy_denied"], [])
