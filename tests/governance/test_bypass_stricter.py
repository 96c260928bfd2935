"""An answer is worth what the strictest of the policies wants: of all layers, of the live revision, and of what people
and interceptors have made of the arguments."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.testing.harness import Live, live
from tests.conftest import Tree
from tests.governance.test_bypass import APPROVE, DENY, ONE, TWICE, codes, edit, held, made, toml
from tests.server.native import KEYS, LEAD, OTHER, Caller, settled

__all__ = ["made"]

NAMED = 'approvers = ["supervisors"]\n'
ASK = '[approvals.gate]\ntools = ["wait"]\ndecide = "ask"\n'
TWO = '[approvals.strict]\ntools = ["wait"]\nwhen = "args.name == \'two\'"\ndecide = "ask"\n' + NAMED
TO_TWO = '[interceptors.shape]\nkind = "transform"\ntools = ["wait"]\narguments = "{name: \'two\'}"\n'
LAYER = "gateway.d/10-more.toml"


async def pending(caller: Caller, run: str) -> dict[str, Any]:
    """The question of the run that stands now."""
    await settled(caller.live)
    (found,) = (await caller.ask("GET", f"/v1/approvals?run={run}&state=pending"))["items"]
    return dict(found)


async def approved(gateway: Live, by: str = "", **more: Any) -> tuple[Caller, str]:
    """A run whose question its own key, or another one, has approved."""
    caller = Caller(gateway)
    run, (wait,) = await caller.waiting()
    await (Caller(gateway, by) if by else caller).ask("POST", f"/v1/approvals/{wait['id']}", {**APPROVE, **more})
    return caller, run


async def test_an_edit_that_others_must_approve(tree: Tree, made: list[str]) -> None:
    """They are asked about the edit; what they approve is made, and told as an edit."""
    async with live(tree(ONE, toml=TWO + ASK + KEYS), watch=False) as gateway:
        caller, run = await approved(gateway, edited_args={"name": "two"})
        wait = await pending(caller, run)
        before = list(made)
        refused = await caller.code("POST", f"/v1/approvals/{wait['id']}", APPROVE)
        await Caller(gateway, LEAD).ask("POST", f"/v1/approvals/{wait['id']}", APPROVE)
        told = await caller.told(run)
    assert (wait["policy"], wait["args"], before) == ("strict", {"name": "two"}, [])
    assert refused == (403, "not_an_approver")
    assert (codes(told), made) == ([None], ["two"])
    (end,) = [each.data["result"] for each in told if each.event == "tool.completed"]
    assert "a person changed the arguments" in str(end)


async def test_an_edit_that_others_deny(tree: Tree, made: list[str]) -> None:
    """Their no counts."""
    async with live(tree(ONE, toml=TWO + ASK + KEYS), watch=False) as gateway:
        caller, run = await approved(gateway, edited_args={"name": "two"})
        wait = await pending(caller, run)
        await Caller(gateway, LEAD).ask("POST", f"/v1/approvals/{wait['id']}", DENY)
        told = await caller.told(run)
    assert (codes(told), made) == (["user_denied"], [])


@pytest.mark.parametrize("more", [NAMED, "quorum = 2\n"], ids=["approvers", "quorum"])
async def test_a_policy_that_wants_more_between_ask_and_answer(tree: Tree, made: list[str], more: str) -> None:
    """An answer that would not be enough now is not enough: those who are wanted now are asked."""
    root = tree(ONE, toml=ASK + KEYS)
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        assert await edit(gateway, gateway_toml=toml(root).replace('"ask"\n', f'"ask"\n{more}')) == "applied"
        await caller.ask("POST", f"/v1/approvals/{wait['id']}", APPROVE)
        again = await pending(caller, run)
        found = await held(caller, run)
    assert again["id"] != wait["id"]
    assert (found, made) == (["pending"], [])


async def test_a_policy_that_wants_less_between_ask_and_answer(tree: Tree, made: list[str]) -> None:
    """Nobody is asked twice for what has been answered."""
    root = tree(ONE, toml=ASK + 'approvers = ["supervisors", "other"]\n' + KEYS)
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        assert await edit(gateway, gateway_toml=toml(root).replace('"supervisors", "other"', '"other"')) == "applied"
        await Caller(gateway, OTHER).ask("POST", f"/v1/approvals/{wait['id']}", APPROVE)
        told = await caller.told(run)
    assert (codes(told), made) == ([None], ["one"])


@pytest.mark.parametrize("outer", [True, False], ids=["outer", "inner"])
async def test_layers_that_ask_different_people(tree: Tree, made: list[str], outer: bool) -> None:
    """Who names approvers is heard, wherever it stands, and once that is enough for all."""
    strict = ASK.replace("gate", "strict") + NAMED
    first, second = (strict, ASK) if outer else (ASK, strict)
    async with live(tree(ONE, toml=first + KEYS, files={LAYER: second}), watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        refused = await caller.code("POST", f"/v1/approvals/{wait['id']}", APPROVE)
        await Caller(gateway, LEAD).ask("POST", f"/v1/approvals/{wait['id']}", APPROVE)
        told = await caller.told(run)
    assert refused == (403, "not_an_approver")
    assert (codes(told), made) == ([None], ["one"])


async def test_layers_that_each_want_somebody_of_their_own(tree: Tree, made: list[str]) -> None:
    """One is asked after the other, and each can say no."""
    layer = ASK.replace("gate", "second") + 'approvers = ["other"]\n'
    async with live(tree(ONE, toml=ASK + NAMED + KEYS, files={LAYER: layer}), watch=False) as gateway:
        caller, run = await approved(gateway, LEAD)
        wait = await pending(caller, run)
        refused = await Caller(gateway, LEAD).code("POST", f"/v1/approvals/{wait['id']}", APPROVE)
        before = list(made)
        await Caller(gateway, OTHER).ask("POST", f"/v1/approvals/{wait['id']}", APPROVE)
        told = await caller.told(run)
    assert (wait["policy"], refused[0], before) == ("second", 404, [])
    assert (codes(told), made) == ([None], ["one"])


async def test_a_grant_of_one_of_two_layers(tree: Tree, made: list[str]) -> None:
    """It covers the milder layer, and not the one that remembers nothing."""
    remember = 'remember = "session"\n'
    for mild, expected in ((remember, ["one", "two"]), ("", ["one"])):
        made.clear()
        layer = ASK.replace("gate", "strict") + NAMED + remember
        async with live(tree(TWICE, toml=ASK + mild + KEYS, files={LAYER: layer}), watch=False) as gateway:
            caller, session = Caller(gateway), await gateway.session()
            _, (wait,) = await caller.waiting(session_id=session.id)
            answer = {**APPROVE, "remember": True}
            await Caller(gateway, LEAD).ask("POST", f"/v1/approvals/{wait['id']}", answer)
            await settled(gateway)
        assert made == expected


DENIED = '[approvals.never]\ntools = ["wait"]\nwhen = "args.name == \'two\'"\ndecide = "deny"\n'
HELD = DENIED.replace('"deny"', '"ask"')


@pytest.mark.parametrize("policy", [DENIED, HELD], ids=["denied", "held"])
@pytest.mark.parametrize("team", [True, False], ids=["of a team", "of the gateway"])
async def test_what_an_interceptor_makes_of_the_arguments(tree: Tree, made: list[str], policy: str, team: bool) -> None:
    """The policies judge that too, so that no interceptor leads around them."""
    files = {LAYER: 'team = "default"\n' + TO_TWO} if team else {}
    shape = "" if team else TO_TWO
    async with live(tree(ONE, toml=policy + shape, files=files), watch=False) as gateway:
        told = await Caller(gateway).told(await Caller(gateway).begin())
    assert (codes(told), made) == (["policy_denied"], [])


@pytest.mark.parametrize("team", [True, False], ids=["of a team", "of the gateway"])
async def test_what_an_interceptor_makes_of_what_was_approved(tree: Tree, made: list[str], team: bool) -> None:
    """The gateway's own may change it within the policy; a layer's may not: other arguments were shown."""
    files = {LAYER: 'team = "default"\n' + TO_TWO} if team else {}
    shape = "" if team else TO_TWO
    async with live(tree(ONE, toml=ASK + shape, files=files), watch=False) as gateway:
        caller, run = await approved(gateway)
        told = await caller.told(run)
    assert (codes(told), made) == ((["policy_denied"], []) if team else ([None], ["two"]))
