"""Every provider kind keeps the contracts of the kit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from headgate.providers import PROVIDERS
from headgate.testing import anthropic_replies as replies
from headgate.testing import openai_replies
from headgate.testing.anthropic_api import AnthropicApi, Received
from headgate.testing.openai_api import OpenAiApi
from headgate.testing.provider_kit import CONTRACTS, Bench, Contract
from tests.providers.conftest import Open
from tests.providers.samples import ask, user

TURNS = [
    {"when": {"user_contains": "plain"}, "thinking": "well", "text": "two words"},
    {"when": {"user_contains": "calling"}, "calls": [{"call": "a", "args": {"x": 1}}, {"call": "b"}]},
    {"when": {"user_contains": "failing"}, "error": 400},
    {"when": {"user_contains": "endless"}, "thinking": "well", "text": "more words"},
]
PLAIN, CALLING, FAILING, ENDLESS = (ask(user(word)) for word in ("plain", "calling", "failing", "endless"))


def reply(received: Received) -> replies.Reply:
    """What the mock answers, by the user's word."""
    word = received.body["messages"][0]["content"][0]["text"]
    return {
        "plain": replies.turn(replies.thinking("well"), replies.text("two", " words")),
        "calling": replies.turn(replies.tool("a", {"x": 1}), replies.tool("b", {})),
        "failing": replies.error(400, "invalid_request_error", "bad"),
        "endless": replies.turn(replies.text("more", " words")).stalled(4),
    }[word]


def openai_reply(received: Received) -> openai_replies.Reply:
    """The same, from the mock of OpenAI's APIs."""
    content = (received.body.get("input") or received.body.get("messages") or [])[0]["content"]
    word = content if isinstance(content, str) else content[0]["text"]
    more = openai_replies.turn(openai_replies.text("more", " words"))
    return {
        "plain": openai_replies.turn(openai_replies.thinking("well"), openai_replies.text("two", " words")),
        "calling": openai_replies.turn(openai_replies.tool("a", {"x": 1}), openai_replies.tool("b", {})),
        "failing": openai_replies.error(400, None, "bad"),
        "endless": more.stalled(4 if "input" in received.body else 2),
    }[word]


@pytest.fixture(params=["anthropic", "openai", "openai_chat", "scripted"])
async def bench(request: pytest.FixtureRequest, open_kind: Open) -> AsyncIterator[Bench]:
    """An opened provider of each kind."""
    if request.param == "anthropic":
        async with (
            AnthropicApi(default=reply) as api,
            open_kind("anthropic", api_key="k", base_url=api.url) as provider,
        ):
            yield Bench(provider, PLAIN, CALLING, FAILING, ENDLESS, api.gone)
    elif request.param.startswith("openai"):
        async with (
            OpenAiApi(default=openai_reply) as mock,
            open_kind(request.param, api_key="k", base_url=mock.base, model="m") as provider,
        ):
            yield Bench(provider, PLAIN, CALLING, FAILING, ENDLESS, mock.gone)
    else:
        before = asyncio.all_tasks()

        async def released() -> None:
            assert asyncio.all_tasks() <= before | {asyncio.current_task()}

        async with open_kind("scripted", turns=TURNS) as provider:
            yield Bench(provider, PLAIN, CALLING, FAILING, ENDLESS, released)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
async def test_contract(bench: Bench, contract: Contract) -> None:
    """The contract holds."""
    await contract(bench)


def test_registry() -> None:
    """Kinds are registered under their own names, with a summary and a spec that knows its kind."""
    assert set(PROVIDERS) == {"anthropic", "openai", "openai_chat", "scripted", "auto"}
    for name, kind in PROVIDERS.items():
        assert kind.name == name
        assert kind.summary.endswith(".")
        assert kind.spec.model_fields["kind"].default == name
