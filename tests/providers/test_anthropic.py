"""The provider kind `anthropic` on the mock of the API."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiohttp import web

from headgate.core.messages import Message, Opaque, Text, Thinking, ToolCall
from headgate.core.ports import Provider, TextChunk, ThinkingChunk, TurnDone
from headgate.testing import anthropic_replies as replies
from headgate.testing.anthropic_api import AnthropicApi
from tests.providers.conftest import Open
from tests.providers.samples import MODEL, TOOL, answer, ask, failure, finish, play, user

WHOLE = replies.turn(
    replies.thinking("Let me ", "see."),
    replies.redacted("secret"),
    replies.text("Ein Käse ", "für €3"),
    replies.tool("lookup", {"q": "Zürich"}, id="t1"),
    replies.tool("lookup", {}, id="t2"),
)


@pytest.mark.parametrize("size", [1, 5, 64, None])
async def test_whole_turn(api: AnthropicApi, claude: Provider, size: int | None) -> None:
    """Thinking, text and parallel calls arrive in order, however the bytes are split."""
    api.queue(WHOLE if size is None else WHOLE.split(size))
    *chunks, done = await play(claude)
    assert chunks == [ThinkingChunk("Let me "), ThinkingChunk("see."), TextChunk("Ein Käse "), TextChunk("für €3")]
    assert isinstance(done, TurnDone)
    signed, hidden, said, *calls = done.message.parts
    assert signed == Thinking("Let me see.", Opaque("claude", MODEL, b'{"signature":"signature"}'))
    assert hidden == Thinking("", Opaque("claude", MODEL, b'{"redacted":"secret"}'))
    assert said == Text("Ein Käse für €3")
    assert calls == [ToolCall("t1", "lookup", {"q": "Zürich"}), ToolCall("t2", "lookup", {})]
    assert (done.stop, done.model, done.cut) == ("tools", MODEL, False)


async def test_next_turn_is_accepted(api: AnthropicApi, claude: Provider) -> None:
    """The API takes the turn back with its results, thinking included."""
    api.queue(WHOLE)
    done = await finish(claude, ask(tools=(TOOL,)))
    results = answer({"plan": "gold"}, "t1").parts + answer(error="none", id="t2").parts
    again = await finish(claude, ask(user(), done.message, Message("user", results)))
    assert again.message.text == "Hello there"
    kinds = [block["type"] for block in api.requests[1].body["messages"][1]["content"]]
    assert kinds == ["thinking", "redacted_thinking", "text", "tool_use", "tool_use"]


async def test_request_head(api: AnthropicApi, claude: Provider) -> None:
    """The request carries the key, the API's version and JSON."""
    await play(claude)
    headers = api.requests[0].headers
    assert headers["authorization"] == "Bearer sk-test"
    assert headers["anthropic-version"]
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("headgate/")


async def test_auth_token_and_headers(api: AnthropicApi, open_kind: Open) -> None:
    """A bearer token takes the key's place, and extra headers are sent."""
    extra = {"X-Team": "ops", "anthropic-beta": "x-1"}
    async with open_kind("anthropic", auth_token="token", base_url=api.url, extra_headers=extra) as provider:
        await play(provider)
    headers = api.requests[0].headers
    assert headers["authorization"] == "Bearer token"
    assert (headers["x-team"], headers["anthropic-beta"]) == ("ops", "x-1")


CLIENT = """
import asyncio, sys
import httpx2
from headgate.core.kind import Env
from headgate.core.messages import Message, Text
from headgate.core.ports import ModelRequest
from headgate.providers.anthropic import AnthropicSpec, open_anthropic

async def main():
    async with httpx2.AsyncClient() as http:
        spec = AnthropicSpec(api_key="sk-manifest", base_url=sys.argv[1])
        async with open_anthropic(spec, Env(name="c", http=http, read=lambda path: b"")) as provider:
            request = ModelRequest(model="m", system="", messages=(Message("user", (Text("hi"),)),))
            async for event in provider.stream(request):
                pass

asyncio.run(main())
"""


async def test_environment_stays_out(api: AnthropicApi, tmp_path: Any) -> None:
    """The SDK's own variables change neither the key, the address nor the headers of a request."""
    leaks = {
        "ANTHROPIC_API_KEY": "sk-env",
        "ANTHROPIC_AUTH_TOKEN": "token-env",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "ANTHROPIC_CUSTOM_HEADERS": "X-Leak: yes\nAuthorization: Bearer leaked",
        "ANTHROPIC_PROFILE": "leak",
        "ANTHROPIC_CONFIG_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", CLIENT, api.url, env={**os.environ, **leaks})
    assert await child.wait() == 0
    headers = api.requests[0].headers
    assert headers["authorization"] == "Bearer sk-manifest"
    assert "x-leak" not in headers
    assert "-env" not in str(headers)


async def test_one_connection(api: AnthropicApi, claude: Provider) -> None:
    """Turns after one another share a connection."""
    for _ in range(5):
        await play(claude)
    assert len(api.connections) == 1


async def test_many_streams(api: AnthropicApi, claude: Provider) -> None:
    """Hundreds of streams are open at the same time: the pool is no limit."""
    api.queue(*[replies.turn(replies.text("a", "b")).stalled(4) for _ in range(300)])
    streams = [claude.stream(ask()) for _ in range(300)]
    first = await asyncio.gather(*(anext(stream) for stream in streams))
    assert first == [TextChunk("a")] * 300
    api.release()
    for stream in streams:
        assert isinstance([event async for event in stream][-1], TurnDone)


@pytest.mark.parametrize(
    ("reply", "code", "status", "retryable"),
    [
        (replies.error(400, "invalid_request_error", "bad"), "provider_invalid_request", 400, False),
        (replies.error(401, "authentication_error", "no"), "provider_auth", 401, False),
        (replies.error(404, "not_found_error", "model"), "provider_not_found", 404, False),
        (replies.error(429, "rate_limit_error", "slow"), "provider_rate_limited", 429, True),
        (replies.error(529, "overloaded_error", "busy"), "provider_overloaded", 529, True),
        (replies.failing(replies.text("a")), "provider_overloaded", 529, True),
        (replies.failing(type="invalid_request_error"), "provider_invalid_request", 400, False),
        (WHOLE.short(6), "provider_cut_off", None, True),
        (WHOLE.cut(6), "provider_connection", None, True),
    ],
)
async def test_failures(
    api: AnthropicApi, claude: Provider, reply: replies.Reply, code: str, status: int | None, retryable: bool
) -> None:
    """Refusals, errors inside a stream, and streams that break: each has its code."""
    api.queue(reply)
    error = await failure(claude)
    assert (error.code, error.status, error.retryable) == (code, status, retryable)
    assert len(api.requests) == 1


async def test_silence(api: AnthropicApi, open_kind: Open) -> None:
    """A stream that goes silent is given up, and worth a retry."""
    api.queue(WHOLE.stalled(6))
    async with open_kind("anthropic", api_key="k", base_url=api.url, stall_timeout="150ms") as provider:
        error = await failure(provider)
    assert (error.code, error.retryable, len(api.requests)) == ("provider_stalled", True, 1)


async def test_failure_message(api: AnthropicApi, open_kind: Open) -> None:
    """The API's own sentence is shown, without secrets and without anything else of its answer."""
    message = "bad key sk-test"
    api.queue(replies.error(401, "authentication_error", message), replies.failing(message=message))

    def hide(text: str) -> str:
        return text.replace("sk-test", "[redacted]")

    async with open_kind("anthropic", api_key="sk-test", base_url=api.url, scrub=hide) as provider:
        errors = [await failure(provider), await failure(provider)]
    assert errors[0].message == "the provider answered with status 401: bad key [redacted]"
    assert errors[1].message == "the provider answered with status 529: bad key [redacted]"
    assert "sk-test" not in repr(errors)


async def test_retry_after(api: AnthropicApi, claude: Provider) -> None:
    """The wait that the API asks for is passed on."""
    api.queue(replies.error(429, "rate_limit_error", "slow", {"retry-after": "7"}))
    assert (await failure(claude)).retry_after == 7.0


async def test_no_answer(api: AnthropicApi, open_kind: Open) -> None:
    """A server that does not begin to answer runs into the timeout."""
    api.queue(replies.turn(replies.text("a")).stalled(0))
    async with open_kind("anthropic", api_key="k", base_url=api.url, timeout="100ms") as provider:
        assert (await failure(provider)).code == "provider_timeout"


async def test_nobody_there(closed_port: int, open_kind: Open) -> None:
    """A server that is not there is a connection error, worth a retry."""
    async with open_kind("anthropic", api_key="k", base_url=f"http://127.0.0.1:{closed_port}") as provider:
        error = await failure(provider)
    assert (error.code, error.retryable) == ("provider_connection", True)


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (200, {"Content-Type": "text/html"}, "text/html instead of an event stream"),
        (302, {"Location": "http://127.0.0.1:9/elsewhere"}, "status 302"),
    ],
)
async def test_not_the_api(open_kind: Open, status: int, headers: dict[str, str], words: str) -> None:
    """A page or a redirect in place of the API is an error, and a redirect is not followed."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers, body=b"<html>")

    app = web.Application()
    app.router.add_post("/v1/messages", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with open_kind("anthropic", api_key="k", base_url=url) as provider:
        error = await failure(provider)
    await runner.cleanup()
    assert (error.code, error.retryable) == ("provider_error", False)
    assert words in error.message


async def test_silence_is_measured_between_bytes(api: AnthropicApi, open_kind: Open) -> None:
    """A slow stream that keeps sending may last longer than the stall timeout."""
    api.queue(replies.turn(replies.text(*"abcdef")).slow(0.2))
    async with open_kind("anthropic", api_key="k", base_url=api.url, stall_timeout="1500ms") as provider:
        assert (await finish(provider)).message.text == "abcdef"


async def test_close_disconnects(api: AnthropicApi, claude: Provider) -> None:
    """Closing the iterator closes the HTTP stream."""
    api.queue(replies.turn(replies.text("a", "b")).stalled(4))
    stream = claude.stream(ask())
    assert await anext(stream) == TextChunk("a")
    assert isinstance(stream, AsyncGenerator)
    await stream.aclose()
    await api.gone()


@pytest.mark.parametrize("after", [0, 4])
async def test_cancel_disconnects(api: AnthropicApi, claude: Provider, after: int) -> None:
    """Cancelling the task closes the HTTP stream, before the answer as in the middle of it."""
    api.queue(replies.turn(replies.text("a", "b")).stalled(after))
    task = asyncio.create_task(play(claude))
    await api.arrived()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await api.gone()


async def test_models(api: AnthropicApi, open_kind: Open) -> None:
    """Only allowed models are asked for; the default always is."""
    options = {"model": "claude-opus-5", "allow_models": ["claude-haiku-*"]}
    async with open_kind("anthropic", api_key="k", base_url=api.url, **options) as provider:
        assert provider.default_model == "claude-opus-5"
        assert (await finish(provider, ask(model="claude-opus-5"))).model == "claude-opus-5"
        assert (await finish(provider, ask(model="claude-haiku-5-5"))).model == "claude-haiku-5-5"
        assert (await failure(provider, ask(model="claude-fable-5"))).code == "provider_invalid_request"
    assert len(api.requests) == 2


async def test_manifest_prices(api: AnthropicApi, open_kind: Open) -> None:
    """Prices of the manifest make the cost."""
    prices = {MODEL: {"input": 1000, "output": 10000}}
    async with open_kind("anthropic", api_key="k", base_url=api.url, prices=prices) as provider:
        assert (await finish(provider)).cost == pytest.approx(10 * 1e-3 + 5 * 1e-2)
