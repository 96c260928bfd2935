"""The mock of OpenAI's APIs: the real SDK talks to it, and it refuses what the APIs refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest

from headgate.testing import openai_replies as replies
from headgate.testing.openai_api import OpenAiApi
from headgate.testing.openai_rules import chat_complaint, responses_complaint

PARAMETERS = {"type": "object", "properties": {}}
CALLING = replies.turn(replies.thinking("hm"), replies.text("a", "b"), replies.tool("x", {"n": 1}, id="t9"))


@pytest.fixture
async def sdk(openai_api: OpenAiApi) -> AsyncIterator[openai.AsyncOpenAI]:
    """The real SDK on the mock."""
    http = openai.DefaultAioHttpClient()
    async with openai.AsyncOpenAI(api_key="k", base_url=openai_api.base, max_retries=0, http_client=http) as client:
        yield client


async def test_sdk_responses(openai_api: OpenAiApi, sdk: openai.AsyncOpenAI) -> None:
    """The SDK's typed stream reads reasoning, text and calls of the Responses API."""
    openai_api.queue(CALLING.split(7))
    stream = await sdk.responses.create(model="m", input="hi", stream=True)
    events = [event async for event in stream]
    assert events[0].type == "response.created"
    assert [event.type for event in events].count("response.output_item.done") == 3
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "ab"
    assert events[-1].type == "response.completed"
    assert events[-1].sequence_number == len(events) - 1


async def test_sdk_chat(openai_api: OpenAiApi, sdk: openai.AsyncOpenAI) -> None:
    """The SDK's typed stream reads text, calls and usage of Chat Completions."""
    openai_api.queue(CALLING.split(7))
    messages: Any = [{"role": "user", "content": "hi"}]
    stream = await sdk.chat.completions.create(model="m", messages=messages, stream=True)
    chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == "ab"
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    assert "".join(call.function.arguments or "" for call in calls if call.function) == '{"n":1}'
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 15


async def test_sdk_whole(openai_api: OpenAiApi, sdk: openai.AsyncOpenAI) -> None:
    """A request that does not stream gets one answer."""
    openai_api.queue(CALLING, CALLING)
    response = await sdk.responses.create(model="m", input="hi")
    assert (response.output_text, response.status, len(response.output)) == ("ab", "completed", 3)
    messages: Any = [{"role": "user", "content": "hi"}]
    completion = await sdk.chat.completions.create(model="m", messages=messages)
    assert completion.choices[0].message.content == "ab"
    assert completion.choices[0].finish_reason == "tool_calls"


async def test_sdk_errors(openai_api: OpenAiApi, sdk: openai.AsyncOpenAI) -> None:
    """The SDK recognises refusals, scripted ones and those of the rules."""
    openai_api.queue(replies.error(429, "rate_limit_exceeded", "slow"))
    with pytest.raises(openai.RateLimitError):
        await sdk.responses.create(model="m", input="hi")
    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'temperature'"):
        await sdk.responses.create(model="m", input="hi", temperature=1)
    assert [request.path for request in openai_api.requests] == ["/v1/responses"] * 2


@pytest.mark.parametrize("path", ["responses", "chat/completions"])
@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [({}, b'{"model": "m"}', 401), ({"authorization": "Bearer k"}, b'{"model": "m"}', 400), ({}, b"{", 400)],
)
async def test_heads(
    openai_api: OpenAiApi, http: httpx2.AsyncClient, path: str, headers: dict[str, str], content: bytes, status: int
) -> None:
    """A request needs a credential and JSON."""
    response = await http.post(f"{openai_api.base}/{path}", headers=headers, content=content)
    assert response.status_code == status
    assert response.json()["error"]["message"]


HI = {"role": "user", "content": "hi"}
CALL = {"type": "function_call", "call_id": "c1", "name": "x", "arguments": "{}"}
DONE = {"type": "function_call_output", "call_id": "c1", "output": "ok"}
THOUGHT = {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "e"}
TOOL = {"type": "function", "name": "x", "parameters": PARAMETERS, "strict": False}


def body(*items: Any, **more: Any) -> dict[str, Any]:
    """A Responses request that is fine but for what is given."""
    return {"model": "m", "input": list(items) or [HI], **more}


@pytest.mark.parametrize(
    "fine",
    [
        body(),
        body(input="hi"),
        body(HI, THOUGHT, CALL, CALL | {"call_id": "c2"}, DONE, DONE | {"call_id": "c2"}, HI),
        body(HI, THOUGHT, {"role": "assistant", "content": "a", "phase": "final_answer"}, HI, tools=[TOOL]),
        body(HI, CALL, DONE | {"output": [{"type": "input_image", "image_url": "data:"}]}, reasoning={"effort": "low"}),
    ],
)
def test_fine_responses(fine: dict[str, Any]) -> None:
    """What the Responses API takes, the mock takes."""
    assert responses_complaint(fine) is None


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([], "must be an object"),
        ({"model": "m"}, "Missing required parameter: 'input'"),
        (body(temperature=1), "Unknown parameter: 'temperature'"),
        (body(max_output_tokens=15), ">= 16"),
        (body(prompt_cache_key="k" * 65), "prompt_cache_key"),
        (body(reasoning={"effort": "much"}), "reasoning.effort"),
        (body(tools=[TOOL | {"name": "a b"}]), "does not match pattern"),
        (body(tools=[TOOL | {"parameters": {"type": "object"}}]), "missing properties"),
        (body(tools=[TOOL | {"strict": True, "parameters": {**PARAMETERS, "required": ["a"]}}]), "'required'"),
        (body({"type": "video"}), "Invalid value: 'video'"),
        (body(HI | {"name": "x"}), "Unknown parameter: 'input[0].name'"),
        (body({"role": "robot", "content": "x"}), "role"),
        (body({"role": "user", "content": ""}), "content"),
        (body({"role": "user", "content": [{"type": "output_text"}]}), "output_text"),
        (body(HI, DONE), "No tool call found for function call output with call_id c1"),
        (body(HI, CALL), "No tool output found for function call c1"),
        (body(HI, CALL, DONE, DONE), "Duplicate output"),
        (body(HI, CALL, CALL, DONE), "Duplicate item"),
        (body(HI, CALL | {"arguments": {}}, DONE), "expected a string"),
        (body(HI, CALL | {"call_id": "c" * 65}, DONE), "maximum length 64"),
        (body(HI, CALL, DONE | {"output": []}), "Invalid value for 'output'"),
        (body(HI, THOUGHT | {"encrypted_content": None}, CALL, DONE), "not found"),
        (body(HI, THOUGHT), "without its required following item"),
        (body(HI, THOUGHT, HI), "without its required following item"),
    ],
)
def test_refused_responses(bad: Any, words: str) -> None:
    """What the Responses API refuses, the mock refuses with a sentence."""
    assert words in (responses_complaint(bad) or "")


FUNCTION = {"id": "c1", "type": "function", "function": {"name": "x", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [FUNCTION]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "ok"}


def chat(*messages: Any, **more: Any) -> dict[str, Any]:
    """A chat request that is fine but for what is given."""
    return {"model": "m", "messages": list(messages) or [HI], **more}


@pytest.mark.parametrize(
    "fine",
    [
        chat(),
        chat({"role": "system", "content": "s"}, HI, CALLED, RESULT, HI, max_tokens=1),
        chat(HI, tools=[{"type": "function", "function": {"name": "x", "parameters": PARAMETERS}}]),
    ],
)
def test_fine_chats(fine: dict[str, Any]) -> None:
    """What Chat Completions takes, the mock takes."""
    assert chat_complaint(fine) is None


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([], "must be an object"),
        ({"model": "m"}, "Missing required parameter: 'messages'"),
        (chat(input="x"), "Unknown parameter: 'input'"),
        (chat(reasoning={}), "Unknown parameter: 'reasoning'"),
        (chat(reasoning_effort="much"), "reasoning_effort"),
        (chat(tools=[{"type": "function", "function": {"name": "a b"}}]), "does not match pattern"),
        (chat({"role": "robot", "content": "x"}), "Invalid value: 'robot'"),
        (chat({"role": "assistant", "content": None}), "got null"),
        (chat(HI | {"reasoning_content": "x"}), "Unknown parameter"),
        (chat({"role": "user", "content": [{"type": "audio"}]}), "Invalid content type"),
        (chat(HI, CALLED, {**RESULT, "content": [{"type": "image_url"}]}), "Invalid content type"),
        (chat(HI, RESULT), "must be a response to a preceding message"),
        (chat(HI, CALLED, HI, RESULT), "must be followed by tool messages"),
        (chat(HI, CALLED), "must be followed by tool messages"),
        (chat(HI, CALLED, RESULT, RESULT), "must be a response to a preceding message"),
        (chat(HI, {**CALLED, "tool_calls": [{**FUNCTION, "id": "c" * 41}]}), "maximum length 40"),
        (chat(HI, {**CALLED, "tool_calls": [{**FUNCTION, "extra_content": {}}]}), "extra_content"),
        (chat(HI, {**CALLED, "tool_calls": [{**FUNCTION, "function": {"arguments": "["}}]}), "not a JSON object"),
    ],
)
def test_refused_chats(bad: Any, words: str) -> None:
    """What Chat Completions refuses, the mock refuses with a sentence."""
    assert words in (chat_complaint(bad) or "")


def test_compatible() -> None:
    """A compatible server knows members for thinking that OpenAI does not."""
    thoughtful = chat({**HI, "reasoning_content": "x"}, reasoning={"effort": "low"})
    assert chat_complaint(thoughtful, compatible=True) is None
