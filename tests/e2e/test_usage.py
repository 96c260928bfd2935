"""What turns used is in the usage ledger in every class, with the cost that the prices say."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.testing import anthropic_replies as made
from tests.conftest import Tree
from tests.e2e.stage import MODEL, REMOTE, Stage, overloaded, replies, saying, staged
from tests.server.native import KEYS, Caller

PRICES = (
    f'prices = {{"{MODEL}" = {{input = 1000.0, output = 2000.0, cache_read = 100.0, cache_write = 1250.0, '
    "cache_write_1h = 2000.0}}"
)
USED = {
    "anthropic": {
        "input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 9,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5},
    },
    "openai": {"input_tokens": 31, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 30}},
    "openai_chat": {"prompt_tokens": 31, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 30}},
}  # fmt: skip
REPORTER = f'{KEYS}\n[auth.keys.reporter]\nkey = "the-key-of-the-reporter"\nscopes = ["chat", "usage:read"]\n'


async def usage(stage: Stage, query: str = "") -> Any:
    """The report."""
    return await stage.gateway.get(f"/v1/usage{query}")


async def test_every_class_is_priced(tree: Tree) -> None:
    """Input, output, both ways of writing to a cache, and reading from it: each by its own price."""
    async with staged(tree, more=PRICES, model="claude/auto") as stage:
        stage.cue("anthropic", made.turn(made.text("ok"), usage=USED["anthropic"]))
        await (await stage.gateway.session()).say("hi")
        report = await usage(stage, "?group_by=model")
    (item,) = report["items"]
    assert item["tokens"] == {
        "input": 1, "output": 2, "cache_write": 4, "cache_write_1h": 5, "cache_read": 30, "reasoning": 0, "total": 42,
    }  # fmt: skip
    wanted = (1 * 1000 + 2 * 2000 + 4 * 1250 + 5 * 2000 + 30 * 100) / 1e6
    assert (item["name"], item["turns"], item["unpriced_turns"], item["cost_usd"]) == (MODEL, 1, 0, wanted)


@pytest.mark.parametrize("kind", REMOTE)
async def test_usage_agrees_with_the_run(tree: Tree, kind: str) -> None:
    """The ledger of usage, the run and its steps say the same, whoever made the turn; the provider is named."""
    made = replies(kind)
    model = {"anthropic": "claude/auto", "openai": "gpt/auto", "openai_chat": "chat/auto"}[kind]
    async with staged(tree, more=PRICES, model=model) as stage:
        stage.cue(kind, made.turn(made.tool("add", {"a": 1, "b": 2}), usage=USED[kind]), saying(kind, "ok"))
        await (await stage.gateway.session()).say("hi")
        (run,) = (await stage.gateway.get("/v1/runs"))["items"]
        total = (await usage(stage))["total"]
    assert total["turns"] == 2
    assert {name: total["tokens"][name] for name in run["usage"]} == run["usage"]
    assert total["cost_usd"] == pytest.approx(run["cost_usd"] if "cost_usd" in run else run["cost"])


async def test_a_turn_without_a_price(tree: Tree) -> None:
    """A model that nobody knows the price of is counted, and said to be missing in the cost."""
    async with staged(tree, more='allow_models = ["*"]', model="claude/auto") as stage:
        session = await stage.gateway.session()
        await session.say("hi", model="claude-unheard-of")
        item = (await usage(stage))["total"]
    assert (item["turns"], item["unpriced_turns"], item["cost_usd"], item["tokens"]["total"] > 0) == (1, 1, 0.0, True)


async def test_a_turn_that_is_made_again(tree: Tree) -> None:
    """A try that was broken off is counted, too, as far as the provider had said what it used."""
    async with staged(tree, model="claude/auto") as stage:
        stage.cue("anthropic", overloaded("anthropic", "Hel"), saying("anthropic", "Hello"))
        await (await stage.gateway.session()).say("hi")
        total = (await usage(stage))["total"]
        (run,) = (await stage.gateway.get("/v1/runs"))["items"]
    assert (total["turns"], total["broken_turns"], total["unpriced_turns"]) == (2, 1, 0)
    assert (total["tokens"]["input"], run["usage"]["input"]) == (20, 20)


async def test_a_turn_that_ends_the_run(tree: Tree) -> None:
    """A turn is counted when the run ends with it, by a limit or by itself."""
    async with staged(tree, model="claude/auto", budget_tokens=1) as stage:
        stage.cue("anthropic", made.turn(made.tool("add", {"a": 1, "b": 2}), usage=USED["anthropic"]))
        await (await stage.gateway.session()).say("hi")
        assert (await usage(stage))["total"]["tokens"]["total"] == 42


async def test_whose_usage_it_is(tree: Tree) -> None:
    """A key reads its own usage with `usage:read`; all of it, or that of another key, takes `admin:usage`."""
    async with staged(tree, toml=REPORTER) as stage:
        reporter, other = Caller(stage.gateway, "the-key-of-the-reporter"), Caller(stage.gateway, "the-key-of-another")
        await (await stage.gateway.session()).say("hi")
        await reporter.begin()
        while stage.gateway.gateway.edge.host.runs:
            await stage.gateway.get("/v1/status")
        own = await reporter.ask("GET", "/v1/usage?group_by=key")
        assert [each["name"] for each in own["items"]] == ["reporter"]
        assert await reporter.code("GET", "/v1/usage?key=tester") == (403, "insufficient_scope")
        assert await other.code("GET", "/v1/usage") == (403, "insufficient_scope")
        keys = [each["name"] for each in (await usage(stage, "?group_by=key"))["items"]]
        assert keys == ["reporter", "tester"]
        assert (await usage(stage, "?group_by=key&key=tester"))["total"]["turns"] == 1


async def test_as_a_table(tree: Tree) -> None:
    """CSV has a line a group and one for the total, and no cell that a spreadsheet would compute."""
    async with staged(tree, more='allow_models = ["*"]', model="claude/auto") as stage:
        session = await stage.gateway.session()
        await session.say("hi")
        await session.say("hi", model="=1+1")
        answer = await stage.gateway.http.get(
            "/v1/usage?group_by=model&format=csv", headers=dict(stage.gateway.headers)
        )
    header, *lines = answer.text.splitlines()
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert header.startswith("name,turns,broken_turns,unpriced_turns,input,")
    assert [line.split(",")[0] for line in lines] == ["'=1+1", MODEL, "total"]


async def test_of_which_time(tree: Tree) -> None:
    """Only the time that is asked for is reported, by day in UTC."""
    async with staged(tree) as stage:
        await (await stage.gateway.session()).say("hi")
        assert len((await usage(stage, "?group_by=day"))["items"]) == 1
        assert (await usage(stage, "?group_by=day&to=2020-01-01"))["items"] == []
        assert (await usage(stage, "?from=2020-01-01"))["total"]["turns"] == 1
        await stage.gateway.get("/v1/usage?from=never", 422)
        await stage.gateway.get("/v1/usage?group_by=color", 422)


GUARD = '[interceptors.house-rules]\nkind = "guard"\non = ["input"]\nmodel = "gpt/auto"\nprompt = "Be kind."\n'


async def test_who_judges_is_paid_for(tree: Tree) -> None:
    """What an interceptor asks a model for is in the run, in the usage ledger with who made it, and in the budget."""
    verdict = saying("openai", '{"allow": true}')
    budget = "[budgets]\nper_key = {tokens = 16}\n"
    async with staged(tree, toml=GUARD + budget, model="claude/auto") as stage:
        stage.cue("openai", verdict)
        stage.cue("anthropic", saying("anthropic", "ok"))
        await (await stage.gateway.session()).say("hi")
        items = (await usage(stage, "?group_by=provider"))["items"]
        (run,) = (await stage.gateway.get("/v1/runs"))["items"]
        refused = await Caller(stage.gateway).code("POST", "/v1/runs", {"message": "hi"})
        (found,) = (await usage(stage, f"?group_by=run&provider=claude&run={run['id']}"))["items"]
    assert [(each["name"], each["turns"]) for each in items] == [("claude", 1), ("gpt", 1)]
    assert run["usage"]["input"] == sum(each["tokens"]["input"] for each in items)
    assert refused == (429, "budget_exhausted")
    assert (found["name"], found["turns"]) == (run["id"], 1)


async def test_pages(tree: Tree) -> None:
    """The groups come in pages that lead to all of them; the total is of all on each."""
    async with staged(tree, model="claude/auto") as stage:
        stage.cue("anthropic", *[saying("anthropic", "ok") for _ in range(3)])
        for _ in range(3):
            await (await stage.gateway.session()).say("hi")
        first = await usage(stage, "?group_by=run&limit=2")
        last = await usage(stage, f"?group_by=run&limit=2&cursor={first['next']}")
    names = [each["name"] for each in (*first["items"], *last["items"])]
    assert (len(first["items"]), len(set(names)), last["next"]) == (2, 3, None)
    assert first["total"] == last["total"]
    assert first["total"]["turns"] == 3
