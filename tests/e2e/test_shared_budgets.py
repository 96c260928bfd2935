"""A budget over all runs ends the run that reaches it, and refuses the next before it begins."""

from __future__ import annotations

import pytest

from headgate.testing.harness import live
from tests.conftest import Tree
from tests.e2e.stage import MODEL, adding, kinds, saying, staged
from tests.server.native import Caller

PRICES = f'prices = {{"{MODEL}" = {{input = 1000.0, output = 2000.0}}}}'
DOLLARS = '[budgets.per_key]\nusd = 0.02\nwindow = "calendar_month"\n'
TOKENS = "[budgets]\nper_session = {tokens = 15}\n"


async def test_dollars(tree: Tree) -> None:
    """The run ends as by its own budget, in every dialect; then the key is refused with when to come back."""
    async with staged(tree, more=PRICES, toml=DOLLARS, model="claude/auto") as stage:
        stage.cue("anthropic", adding("anthropic"))
        session = await stage.gateway.session()
        events = await session.say("hi")
        (run,) = (await stage.gateway.get("/v1/runs"))["items"]
        (end, *_) = (await stage.gateway.get("/v1/audit?kind=run.ended"))["items"]
        body = {"messages": [{"role": "user", "content": "hi"}]}
        refused = await stage.gateway.http.post("/api/chat", json=body, headers=session.headers)
        native = await Caller(stage.gateway).send("POST", "/v1/runs", {"message": "hi"})
        held = len((await stage.gateway.get("/v1/runs"))["items"])
    assert kinds(events)[-3:] == ["budget_exceeded", "text_delta", "stream_complete"]
    assert events[-3] == {"type": "budget_exceeded", "total_cost": 0.02, "budget": 0.02}
    assert "tool_call_start" not in kinds(events)
    assert (run["state"], run["outcome"]) == ("completed", "budget")
    assert end["details"]["limit"] == {
        "limit": "budget_usd", "cost": 0.02, "budget": 0.02, "per": "key", "window": "calendar_month",
    }  # fmt: skip
    assert (refused.status_code, "is used up: $0.0200 of $0.0200" in refused.json()["detail"]) == (429, True)
    assert (native.status_code, native.json()["error"]["code"]) == (429, "budget_exhausted")
    assert 0 < int(native.headers["retry-after"]) <= 32 * 86400
    assert held == 1


async def test_tokens_of_a_session(tree: Tree) -> None:
    """The turns of all runs of a session count; another session has a budget of its own."""
    async with staged(tree, toml=TOKENS.replace("15", "16"), model="claude/auto") as stage:
        stage.cue("anthropic", *[saying("anthropic", "ok") for _ in range(4)])
        session = await stage.gateway.session()
        first, second = await session.say("hi"), await session.say("go on")
        other = await (await stage.gateway.session()).say("hi")
        body = {"messages": [{"role": "user", "content": "hi"}]}
        third = await stage.gateway.http.post("/api/chat", json=body, headers=session.headers)
    assert kinds(first)[-1] == kinds(other)[-1] == "stream_complete"
    assert second[-2]["text"].startswith("\n\n[Budget limit reached: ")
    assert third.status_code == 429


SLOW = "- {delay: 20ms, call: add, args: {a: 1, b: 2}}\n- {text: Done}\n"


@pytest.mark.parametrize(
    ("limit", "note", "said"),
    [("turns = 1", "1 >= 1 turns]", "1 of 1 turns in 1d"), ('time = "10ms"', "seconds]", "of 0.01 seconds in 1d")],
    ids=["turns", "time"],
)
async def test_turns_and_time(tree: Tree, limit: str, note: str, said: str) -> None:
    """Turns, and the time that runs go on, are limits of a key, team or session like money, and of the next process."""
    root = tree(SLOW, toml=f"[budgets.per_team]\n{limit}\n")
    async with live(root, watch=False) as gateway:
        events = await (await gateway.session()).say("hi")
        (run,) = (await gateway.get("/v1/runs"))["items"]
        refused = await Caller(gateway).send("POST", "/v1/runs", {"message": "hi"})
    async with live(root, watch=False) as gateway:
        again = await Caller(gateway).send("POST", "/v1/runs", {"message": "hi"})
    assert kinds(events)[-2:] == ["text_delta", "stream_complete"]
    assert events[-2]["text"].endswith(note)
    assert "tool_call_start" not in kinds(events)
    assert run["outcome"] == "budget"
    for each in (refused, again):
        assert (each.status_code, said in each.json()["detail"]) == (429, True), each.text


async def test_a_restart_forgets_nothing(tree: Tree) -> None:
    """A process that starts again refuses whom the one before refused."""
    async with staged(tree, more=PRICES, toml=DOLLARS, model="claude/auto") as stage:
        stage.cue("anthropic", adding("anthropic"))
        await (await stage.gateway.session()).say("hi")
    async with staged(tree, more=PRICES, toml=DOLLARS, model="claude/auto") as stage:
        refused = await Caller(stage.gateway).send("POST", "/v1/runs", {"message": "hi"})
    assert refused.status_code == 429


async def test_an_edit(tree: Tree) -> None:
    """A budget that an edit declares holds at once, for what was used before, too."""
    async with staged(tree, more=PRICES, model="claude/auto") as stage:
        stage.cue("anthropic", saying("anthropic", "ok"))
        await (await stage.gateway.session()).say("hi")
        text = (stage.gateway.root / "gateway.toml").read_text(encoding="utf-8")
        stage.gateway.edit("gateway.toml", text + DOLLARS.replace("0.02", "0.001"))
        assert (await stage.gateway.reload())["status"] == "applied"
        caller = Caller(stage.gateway)
        while (answer := await caller.send("POST", "/v1/runs", {"message": "hi"})).status_code == 201:
            stage.cue("anthropic", saying("anthropic", "ok"))
    assert answer.json()["error"]["code"] == "budget_exhausted"


async def test_no_budget_without_a_price(tree: Tree) -> None:
    """A model without a price, of which the compiler could not know, ends the run while there is a budget in USD."""
    more = f'{PRICES}\nallow_models = ["*"]'
    async with staged(tree, more=more, toml=DOLLARS, model="claude/auto") as stage:
        events = await (await stage.gateway.session()).say("hi", model="claude-unheard-of")
    assert events[-1]["error"].startswith("price_unknown: ")
