"""The provider kinds `openai` and `openai_chat` on the mock of the APIs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from headgate.core.messages import Message, Text, ToolCall
from headgate.core.ports import Provider, TextChunk, ThinkingChunk, TurnDone
from headgate.testing import openai_replies as replies
from headgate.testing.openai_api import OpenAiApi
from tests.providers.conftest import Open
from tests.providers.samples import TOOL, answer, ask, failure, finish, play, user

KINDS = ["openai", "openai_chat"]
BEFORE_TEXT = {"openai": 4, "openai_chat": 2}
"""How many events each API sends up to the first piece of a text."""
WHOLE = replies.turn(
    replies.thinking("Let me ", "see."),
    replies.text("Ein Käse ", "für €3"),
    replies.tool("lookup", {"q": "Zürich"}, id="t1"),
    replies.tool("lookup", {}, id="t2"),
)


@pytest.fixture(params=KINDS)
async def model(request: pytest.FixtureRequest, openai_api: OpenAiApi, open_kind: Open) -> AsyncIterator[Provider]:
    """A provider of each kind on the mock."""
    options = {"api_key": "sk-test", "base_url": openai_api.base, "model": "gpt-6-sol"}
    async with open_kind(request.param, **options) as provider:
        yield provider


@pytest.mark.parametrize("size", [1, 5, 64, None])
async def test_whole_turn(openai_api: OpenAiApi, model: Provider, size: int | None) -> None:
    """Thinking, text and parallel calls arrive in order, however the bytes are split."""
    openai_api.queue(WHOLE if size is None else WHOLE.split(size))
    *chunks, done = await play(model)
    assert chunks == [ThinkingChunk("Let me "), ThinkingChunk("see."), TextChunk("Ein Käse "), TextChunk("für €3")]
    assert isinstance(done, TurnDone)
    assert done.message.parts[-3:] == (
        Text("Ein Käse für €3"),
        ToolCall("t1", "lookup", {"q": "Zürich"}),
        ToolCall("t2", "lookup", {}),
    )
    assert (done.stop, done.cut, done.usage.input, done.usage.output) == ("tools", False, 10, 5)


async def test_next_turn_is_accepted(openai_api: OpenAiApi, model: Provider) -> None:
    """The API takes the turn back with its results, thinking included."""
    openai_api.queue(WHOLE)
    done = await finish(model, ask(tools=(TOOL,), thinking="low"))
    results = answer({"plan": "gold"}, "t1").parts + answer(error="none", id="t2").parts
    again = await finish(model, ask(user(), done.message, Message("user", results)))
    assert again.message.text == "Hello there"
    assert len(openai_api.requests) == 2


async def test_reasoning_goes_back(openai_api: OpenAiApi, gpt: Provider) -> None:
    """Encrypted reasoning goes back to the model that made it, and to no other."""
    openai_api.queue(replies.turn(replies.thinking("hm"), replies.text("a")))
    request = ask(model="gpt-6-sol")
    history = (user(), (await finish(gpt, request)).message, user())
    await finish(gpt, ask(*history, model="gpt-6-sol"))
    await finish(gpt, ask(*history, model="gpt-6-luna"))
    kinds = [[item.get("type", item.get("role")) for item in each.body["input"]] for each in openai_api.requests[1:]]
    assert kinds == [["user", "reasoning", "assistant", "user"], ["user", "assistant", "user"]]


async def test_request_head(openai_api: OpenAiApi, model: Provider) -> None:
    """The request carries the key and JSON."""
    await play(model)
    headers = openai_api.requests[0].headers
    assert headers["authorization"] == "Bearer sk-test"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("headgate/")


@pytest.mark.parametrize("kind", KINDS)
async def test_extra_headers(openai_api: OpenAiApi, open_kind: Open, kind: str) -> None:
    """Extra headers are sent."""
    options = {"api_key": "k", "base_url": openai_api.base, "model": "m", "extra_headers": {"X-Team": "ops"}}
    async with open_kind(kind, **options) as provider:
        await play(provider)
    assert openai_api.requests[0].headers["x-team"] == "ops"


async def test_one_connection(openai_api: OpenAiApi, model: Provider) -> None:
    """Turns after one another share a connection."""
    for _ in range(5):
        await play(model)
    assert len(openai_api.connections) == 1


async def test_many_streams(openai_api: OpenAiApi, model: Provider) -> None:
    """Hundreds of streams are open at the same time: the pool is no limit."""
    openai_api.queue(*[replies.turn(replies.text("a", "b")).stalled(4) for _ in range(300)])
    streams = [model.stream(ask()) for _ in range(300)]
    openai_api.release()
    first = await asyncio.gather(*(anext(stream) for stream in streams))
    assert first == [TextChunk("a")] * 300
    for stream in streams:
        assert isinstance([event async for event in stream][-1], TurnDone)


@pytest.mark.parametrize(
    ("reply", "code", "status", "retryable"),
    [
        (replies.error(400, None, "bad"), "provider_invalid_request", 400, False),
        (replies.error(401, "invalid_api_key", "no"), "provider_auth", 401, False),
        (replies.error(404, "model_not_found", "model"), "provider_not_found", 404, False),
        (replies.error(409, None, "again"), "provider_unavailable", 409, True),
        (replies.error(429, "rate_limit_exceeded", "slow"), "provider_rate_limited", 429, True),
        (replies.error(429, "insufficient_quota", "spent"), "provider_rate_limited", 429, False),
        (replies.error(503, None, "busy"), "provider_unavailable", 503, True),
        (replies.failing(replies.text("a")), "provider_unavailable", 500, True),
        (replies.failing(code="rate_limit_exceeded"), "provider_rate_limited", 429, True),
        (replies.failing(replies.text("a"), code="server_is_overloaded"), "provider_overloaded", 529, True),
        (replies.failing(code="invalid_prompt"), "provider_invalid_request", 400, False),
        (WHOLE.short(5), "provider_cut_off", None, True),
        (WHOLE.cut(5), "provider_connection", None, True),
    ],
)
async def test_failures(
    openai_api: OpenAiApi, model: Provider, reply: replies.Reply, code: str, status: int | None, retryable: bool
) -> None:
    """Refusals, errors inside a stream, and streams that break: each has its code."""
    openai_api.queue(reply)
    error = await failure(model)
    assert (error.code, error.status, error.retryable) == (code, status, retryable)
    assert len(openai_api.requests) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_silence(openai_api: OpenAiApi, open_kind: Open, kind: str) -> None:
    """A stream that goes silent is given up, and worth a retry."""
    openai_api.queue(WHOLE.stalled(5))
    options = {"api_key": "k", "base_url": openai_api.base, "model": "m", "stall_timeout": "150ms"}
    async with open_kind(kind, **options) as provider:
        error = await failure(provider)
    assert (error.code, error.retryable, len(openai_api.requests)) == ("provider_stalled", True, 1)


@pytest.mark.parametrize("kind", KINDS)
async def test_failure_message(openai_api: OpenAiApi, open_kind: Open, kind: str) -> None:
    """The API's own sentence is shown, without secrets and without anything else of its answer."""
    message = "bad key sk-test"
    openai_api.queue(replies.error(401, "invalid_api_key", message), replies.failing(message=message))

    def hide(text: str) -> str:
        return text.replace("sk-test", "[redacted]")

    options = {"api_key": "sk-test", "base_url": openai_api.base, "model": "m"}
    async with open_kind(kind, scrub=hide, **options) as provider:
        errors = [await failure(provider), await failure(provider)]
    assert errors[0].message == "the provider answered with status 401: bad key [redacted]"
    assert errors[1].message == "the provider answered with status 500: bad key [redacted]"
    assert "sk-test" not in repr(errors)


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"retry-after": "7"}, "slow", 7.0),
        ({"retry-after-ms": "250"}, "slow", 0.25),
        ({}, "Please try again in 1.5s.", 1.5),
        ({"retry-after": "7"}, "Please try again in 1.5s.", 7.0),
        ({}, "slow", None),
    ],
)
async def test_retry_after(
    openai_api: OpenAiApi, model: Provider, headers: dict[str, str], message: str, seconds: float | None
) -> None:
    """The wait that the API asks for is passed on, in a header or in words."""
    openai_api.queue(replies.error(429, "rate_limit_exceeded", message, headers))
    assert (await failure(model)).retry_after == seconds


@pytest.mark.parametrize("kind", KINDS)
async def test_no_answer(openai_api: OpenAiApi, open_kind: Open, kind: str) -> None:
    """A server that does not begin to answer runs into the timeout."""
    openai_api.queue(replies.turn(replies.text("a")).stalled(0))
    options = {"api_key": "k", "base_url": openai_api.base, "model": "m", "timeout": "100ms"}
    async with open_kind(kind, **options) as provider:
        assert (await failure(provider)).code == "provider_timeout"


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_there(closed_port: int, open_kind: Open, kind: str) -> None:
    """A server that is not there is a connection error, worth a retry."""
    base = f"http://127.0.0.1:{closed_port}/v1"
    async with open_kind(kind, api_key="k", base_url=base, model="m") as provider:
        error = await failure(provider)
    assert (error.code, error.retryable) == ("provider_connection", True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (200, {"Content-Type": "text/html"}, "text/html instead of an event stream"),
        (302, {"Location": "http://127.0.0.1:9/elsewhere"}, "status 302"),
        (502, {"Content-Type": "text/html"}, "status 502"),
    ],
)
async def test_not_the_api(open_kind: Open, kind: str, status: int, headers: dict[str, str], words: str) -> None:
    """A page or a redirect in place of the API is an error that shows no page, and a redirect is not followed."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers, body=b"<html>")

    app = web.Application()
    app.router.add_post("/{path:.*}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    async with open_kind(kind, api_key="k", base_url=url, model="m") as provider:
        error = await failure(provider)
    await runner.cleanup()
    assert words in error.message
    assert "<" not in error.message


@pytest.mark.parametrize("kind", KINDS)
async def test_silence_is_measured_between_bytes(openai_api: OpenAiApi, open_kind: Open, kind: str) -> None:
    """A slow stream that keeps sending may last longer than the stall timeout."""
    openai_api.queue(replies.turn(replies.text(*"abcdef")).slow(0.2))
    options = {"api_key": "k", "base_url": openai_api.base, "model": "m", "stall_timeout": "1500ms"}
    async with open_kind(kind, **options) as provider:
        assert (await finish(provider)).message.text == "abcdef"


@pytest.mark.parametrize("kind", KINDS)
async def test_close_disconnects(openai_api: OpenAiApi, open_kind: Open, kind: str) -> None:
    """Closing the iterator closes the HTTP stream."""
    openai_api.queue(replies.turn(replies.text("a", "b")).stalled(BEFORE_TEXT[kind]))
    async with open_kind(kind, api_key="k", base_url=openai_api.base, model="m") as provider:
        stream = provider.stream(ask())
        assert await anext(stream) == TextChunk("a")
        assert isinstance(stream, AsyncGenerator)
        await stream.aclose()
        await openai_api.gone()


@pytest.mark.parametrize("after", [0, 3])
async def test_cancel_disconnects(openai_api: OpenAiApi, model: Provider, after: int) -> None:
    """Cancelling the task closes the HTTP stream, before the answer as in the middle of it."""
    openai_api.queue(replies.turn(replies.text("a", "b")).stalled(after))
    task = asyncio.create_task(play(model))
    await openai_api.arrived()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await openai_api.gone()


async def test_length_within_a_call(openai_api: OpenAiApi, model: Provider) -> None:
    """A turn that ends within a call says so, and the call has no arguments."""
    openai_api.queue(replies.turn(replies.tool("lookup", '{"q": "Zü'), incomplete="max_output_tokens"))
    done = await finish(model)
    assert (done.stop, done.cut, done.message.calls[0].args) == ("length", True, None)
    assert done.message.calls[0].malformed == '{"q": "Zü'


async def test_prices(openai_api: OpenAiApi, open_kind: Open) -> None:
    """The table has the price of OpenAI's models, the manifest's prices go first, and others have none."""
    options: dict[str, Any] = {"api_key": "k", "base_url": openai_api.base, "model": "gpt-6.2-sol"}
    mine = {"gpt-6.2-sol": {"input": 1000, "output": 10000}}
    for kind, prices, cost in [
        ("openai", {}, (10 * 2 + 5 * 10) / 1e6),
        ("openai", mine, 0.06),
        ("openai_chat", {}, None),
        ("openai_chat", mine, 0.06),
    ]:
        async with open_kind(kind, **options, prices=prices) as provider:
            done = await finish(provider, ask(model="gpt-6.2-sol"))
        assert done.cost == (None if cost is None else pytest.approx(cost))


async def test_models(openai_api: OpenAiApi, open_kind: Open) -> None:
    """Only allowed models are asked for; the default always is."""
    options = {"api_key": "k", "base_url": openai_api.base, "model": "llama", "allow_models": ["qwen*"]}
    async with open_kind("openai_chat", **options) as provider:
        assert provider.default_model == "llama"
        assert (await finish(provider, ask(model="llama"))).model == "llama"
        assert (await finish(provider, ask(model="qwen3:8b"))).model == "qwen3:8b"
        assert (await failure(provider, ask(model="gemma"))).code == "provider_invalid_request"
    assert len(openai_api.requests) == 2
