"""The mock of Anthropic's API: the real SDK talks to it, and it refuses what the API refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx2
import pytest

from headgate.testing import anthropic_replies as replies
from headgate.testing.anthropic_api import AnthropicApi
from headgate.testing.anthropic_rules import complaint
from tests.providers.conftest import Open
from tests.providers.samples import play

HI = {"role": "user", "content": "hi"}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "x", "input": {}}]}
DONE = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}


@pytest.fixture
async def sdk(api: AnthropicApi) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """The real SDK on the mock."""
    async with anthropic.AsyncAnthropic(
        api_key="k", base_url=api.url, max_retries=0, open_telemetry=False, http_client=anthropic.DefaultAioHttpClient()
    ) as client:
        yield client


async def test_sdk_stream(api: AnthropicApi, sdk: anthropic.AsyncAnthropic) -> None:
    """The SDK's stream helper reads thinking, text and calls."""
    api.queue(
        replies.turn(replies.thinking("hm"), replies.text("a", "b"), replies.tool("x", {"n": 1}, id="t9")).split(7)
    )
    async with sdk.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as stream:
        message = await stream.get_final_message()
    thinking, text, call = message.content
    assert (thinking.type, text.type, call.type) == ("thinking", "text", "tool_use")
    assert getattr(call, "input", None) == {"n": 1}
    assert (message.stop_reason, message.usage.output_tokens, message.model) == ("tool_use", 5, "m")


async def test_sdk_message(sdk: anthropic.AsyncAnthropic) -> None:
    """A request that does not stream gets one message."""
    message = await sdk.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    assert getattr(message.content[0], "text", None) == "Hello there"


async def test_sdk_head(api: AnthropicApi, sdk: anthropic.AsyncAnthropic, open_kind: Open) -> None:
    """The provider presents its key and the API's version as the SDK does."""
    await sdk.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    async with open_kind("anthropic", api_key="k", base_url=api.url) as provider:
        await play(provider)
    theirs, ours = (request.headers for request in api.requests)
    for name in ("authorization", "anthropic-version", "content-type"):
        assert ours[name] == theirs[name]


async def test_sdk_errors(api: AnthropicApi, sdk: anthropic.AsyncAnthropic) -> None:
    """The SDK recognises refusals, scripted ones and those of the rules."""
    api.queue(replies.error(429, "rate_limit_error", "slow", {"retry-after": "1"}))
    with pytest.raises(anthropic.RateLimitError):
        await sdk.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    with pytest.raises(anthropic.BadRequestError, match="non-whitespace"):
        await sdk.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": " "}])
    assert [request.body["model"] for request in api.requests] == ["m", "m"]


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"anthropic-version": "2026-10-21"}, b'{"model": "m"}', 401),
        ({"authorization": "Bearer k"}, b'{"model": "m"}', 400),
        ({"authorization": "Bearer k", "anthropic-version": "2026-10-21"}, b"{", 400),
        ({"authorization": "Bearer k", "anthropic-version": "2026-10-21"}, b'{"max_tokens": NaN}', 400),
    ],
)
async def test_heads(
    api: AnthropicApi, http: httpx2.AsyncClient, headers: dict[str, str], content: bytes, status: int
) -> None:
    """A request needs a credential, a version and JSON."""
    response = await http.post(f"{api.url}/v1/messages", headers=headers, content=content)
    assert response.status_code == status
    assert response.json()["type"] == "error"


def body(*messages: Any, **more: Any) -> dict[str, Any]:
    """A request that is fine but for what is given."""
    return {"model": "m", "max_tokens": 5000, "messages": list(messages) or [HI], **more}


@pytest.mark.parametrize(
    "fine",
    [
        body(),
        body(HI, CALL, {"role": "user", "content": [DONE, {"type": "text", "text": "and"}]}),
        body(HI, HI, thinking={"type": "enabled", "budget_tokens": 1024}),
        body(tools=[{"name": "x", "input_schema": {"type": "object"}}], system="s"),
    ],
)
def test_fine(fine: dict[str, Any]) -> None:
    """What the API takes, the mock takes."""
    assert complaint(fine) is None


CACHE = {"cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([], "must be an object"),
        ({"model": "m", "messages": [HI]}, "max_tokens: Field required"),
        (body(temperature=1), "temperature: Extra inputs"),
        (body(max_tokens=0), "max_tokens"),
        ({**body(), "messages": []}, "at least one message"),
        (body(CALL), "first message"),
        (body(HI, {"role": "system", "content": "x"}), "role"),
        (body({"role": "user", "content": []}), "non-empty content"),
        (
            body({"role": "user", "content": [{"type": "text", "text": "a", "tool_name": "x"}]}),
            "tool_name: Extra inputs",
        ),
        (body({"role": "user", "content": [{"type": "audio"}]}), "unknown block"),
        (body(HI, CALL), "without `tool_result`"),
        (body(HI, CALL, HI), "without `tool_result`"),
        (body({"role": "user", "content": [DONE]}), "unexpected `tool_use_id`"),
        (body(HI, CALL, {"role": "user", "content": [DONE, DONE]}), "single result"),
        (body(HI, CALL, {"role": "user", "content": [{"type": "text", "text": "a"}, DONE]}), "must come first"),
        (body(HI, {"role": "assistant", "content": [{**CALL["content"][0], "input": None}]}), "valid dictionary"),
        (body(tools=[{"name": "a b", "input_schema": {"type": "object"}}]), "tools.0.name"),
        (body(tools=[{"name": "a", "input_schema": {}}]), "input_schema"),
        (body(tools=[{"name": "a", "input_schema": {"type": "object"}}] * 2), "unique"),
        (body(thinking={"type": "enabled", "budget_tokens": 9000}), "budget_tokens"),
        (body({"role": "user", "content": [{"type": "text", "text": "a", **CACHE}] * 5}), "maximum of 4"),
    ],
)
def test_refused(bad: Any, words: str) -> None:
    """What the API refuses, the mock refuses with a sentence."""
    assert words in (complaint(bad) or "")
