"""The kind `openai_chat` on servers that end a stream in their own ways, need no key, or are presets."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.core.ports import Provider
from headgate.testing import openai_replies as replies
from headgate.testing.openai_api import OpenAiApi
from tests.providers.conftest import Open
from tests.providers.samples import ask, failure, finish

HELLO = replies.turn(replies.text("a", "b"))


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """A chunk with this delta."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


async def test_no_done(openai_api: OpenAiApi, chat: Provider) -> None:
    """A stream that ends without its mark is whole once the server has said why it stopped."""
    openai_api.queue(replies.turn(replies.text("a"), end=False))
    done = await finish(chat)
    assert (done.message.text, done.stop, done.usage.input) == ("a", "end", 10)


async def test_no_reason(openai_api: OpenAiApi, chat: Provider) -> None:
    """A stream whose mark comes without a reason to stop is whole."""
    openai_api.queue(replies.turn(replies.text("a"), finish=None, usage=None))
    assert (await finish(chat)).stop == "end"


async def test_neither(openai_api: OpenAiApi, chat: Provider) -> None:
    """A stream that ends with neither was cut off."""
    openai_api.queue(replies.raw(chunk(content="a"), chunk(content="b")))
    error = await failure(chat)
    assert (error.code, error.retryable) == ("provider_cut_off", True)


@pytest.mark.parametrize("ending", ["cut", "stalled"])
async def test_broken_tail(openai_api: OpenAiApi, open_kind: Open, ending: str) -> None:
    """Once the server has said why it stopped, a lost or silent connection takes nothing away."""
    openai_api.queue(getattr(HELLO, ending)(4))
    options = {"api_key": "k", "base_url": openai_api.base, "model": "any", "stall_timeout": "1500ms"}
    async with open_kind("openai_chat", **options) as provider:
        done = await finish(provider)
    assert (done.message.text, done.stop, done.usage.input) == ("ab", "end", 0)


async def test_usage_in_every_chunk(openai_api: OpenAiApi, chat: Provider) -> None:
    """The latest count is the one that holds."""
    counts = [{"prompt_tokens": 9, "completion_tokens": count} for count in (1, 2)]
    chunks = [{**chunk(content="a"), "usage": counts[0]}, {**chunk("stop"), "usage": counts[1]}]
    openai_api.queue(replies.raw(*chunks, b"[DONE]"))
    assert (await finish(chat)).usage.output == 2


async def test_error_as_text(openai_api: OpenAiApi, chat: Provider) -> None:
    """An error that is only a sentence fails the turn."""
    openai_api.queue(replies.raw(chunk(content="a"), {"error": "out of memory"}))
    error = await failure(chat)
    assert (error.message, error.retryable) == ("the provider answered with status 500: out of memory", True)


async def test_no_key(open_kind: Open) -> None:
    """Without a key no credential is sent."""
    async with (
        OpenAiApi(compatible=True) as api,
        open_kind("openai_chat", preset="ollama", base_url=api.base, model="qwen3:8b") as provider,
    ):
        assert (await finish(provider, ask(model="qwen3:8b"))).message.text == "Hello there"
    assert "authorization" not in api.requests[0].headers


async def test_key_in_a_header(open_kind: Open) -> None:
    """A header of the manifest may bring the credential."""
    headers = {"Authorization": "Basic abc"}
    async with (
        OpenAiApi(compatible=True) as api,
        open_kind("openai_chat", base_url=api.base, model="m", extra_headers=headers) as provider,
    ):
        await finish(provider)
    assert api.requests[0].headers["authorization"] == "Basic abc"


async def test_refused_without_key(openai_api: OpenAiApi, open_kind: Open) -> None:
    """A server that wants a key says so."""
    async with open_kind("openai_chat", base_url=openai_api.base, model="m") as provider:
        assert (await failure(provider)).code == "provider_auth"


async def test_preset_headers(open_kind: Open) -> None:
    """A preset's headers are sent, and the manifest's go before them."""
    async with OpenAiApi(compatible=True) as api:
        for extra in ({}, {"X-Title": "Desk"}):
            options = {"preset": "openrouter", "base_url": api.base, "api_key": "k", "model": "m"}
            async with open_kind("openai_chat", **options, extra_headers=extra) as provider:
                await finish(provider, ask(thinking="low"))
    assert [each.headers["x-title"] for each in api.requests] == ["Headgate", "Desk"]
    assert api.requests[0].body["reasoning"] == {"effort": "low"}
