"""Chats whose model is Anthropic's API, played by the mock that ships: what a client sees, and what the model gets."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.testing.anthropic_api import AnthropicApi
from headgate.testing.anthropic_replies import Reply, error, failing, text, thinking, tool, turn
from headgate.testing.harness import Live, live, spoken
from tests.conftest import Tree

LOOK = turn(thinking("I add.", signature="signed"), text("Adding. "), tool("add", {"a": 1, "b": 2}, id="toolu_1"))
BOTH = turn(tool("add", {"a": 1, "b": 2}, id="toolu_1"), tool("add", {"a": 3, "b": 4}, id="toolu_2"))


@contextlib.asynccontextmanager
async def chatting(
    tree: Tree, *replies: Reply, more: str = "", **keys: Any
) -> AsyncIterator[tuple[AnthropicApi, Live]]:
    """A gateway whose provider is the mock with these replies; `more` is added to the provider."""
    async with AnthropicApi(*replies) as api:
        provider = (
            f'kind = "anthropic"\napi_key = "sk-test-of-the-mock"\nbase_url = "{api.url}"\nmodel = "claude-test"\n'
            f'retry = {{max = 1, backoff = "1ms"}}\nprices = {{"claude-test" = {{input = 3.0, output = 15.0}}}}\n{more}'
        )
        async with live(tree(provider=provider, **keys), watch=False) as gateway:
            yield api, gateway


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """The types of the events."""
    return [event["type"] for event in events]


async def test_thinking_text_and_tools(tree: Tree) -> None:
    """A turn with all kinds of blocks reaches the client in order, with usage and cost at the end."""
    async with chatting(tree, LOOK, turn(text("It is 3."))) as (_, gateway):
        events = await (await gateway.session()).say("1+2?")
    assert kinds(events) == [
        "thinking_delta", "text_delta", "tool_call_start", "tool_call_complete", "text_delta", "stream_complete"
    ]  # fmt: skip
    assert events[3]["result"] == {"sum": 3}
    assert events[-1]["usage"]["input_tokens"] == 20
    assert events[-1]["usage"]["estimated_cost"] == 0.0002


async def test_parallel_tools(tree: Tree) -> None:
    """Two calls of one turn are answered by one message, in the order of the calls."""
    async with chatting(tree, BOTH, turn(text("ok"))) as (api, gateway):
        events = await (await gateway.session()).say("go")
    results = api.requests[1].body["messages"][-1]["content"]
    assert [each["tool_use_id"] for each in results] == ["toolu_1", "toolu_2"]
    assert sorted(event["call_index"] for event in events if event["type"] == "tool_call_start") == [0, 1]


async def test_a_conversation_keeps_its_blocks(tree: Tree) -> None:
    """Posted history that repeats stored turns is sent with its thinking, its signature, its calls and results."""
    async with chatting(tree, LOOK, turn(text("It is 3.")), turn(text("Yes."))) as (api, gateway):
        session = await gateway.session()
        await session.say("1+2?")
        session.messages[-1]["content"] = " Adding.\n\nIt is 3. "
        await session.say("sure?")
    sent = api.requests[2].body["messages"]
    assert [(each["role"], [part["type"] for part in each["content"]]) for each in sent] == [
        ("user", ["text"]),
        ("assistant", ["thinking", "text", "tool_use"]),
        ("user", ["tool_result"]),
        ("assistant", ["text"]),
        ("user", ["text"]),
    ]
    assert sent[1]["content"][0]["signature"] == "signed"


async def test_a_conversation_that_diverges(tree: Tree) -> None:
    """An answer that the client changed stands as posted; what was stored of it is not sent."""
    async with chatting(tree, LOOK, turn(text("It is 3.")), turn(text("Yes."))) as (api, gateway):
        session = await gateway.session()
        await session.say("1+2?")
        session.messages[-1]["content"] = "It is 4."
        await session.say("sure?")
    sent = api.requests[2].body["messages"]
    assert [part["text"] for each in sent for part in each["content"]] == ["1+2?", "It is 4.", "sure?"]


async def test_a_limit_s_note_is_not_the_model_s(tree: Tree) -> None:
    """The note at the end of a limited answer is recognised when it comes back, and not sent to the model."""
    async with chatting(tree, LOOK, turn(text("Again.")), max_turns=1) as (api, gateway):
        session = await gateway.session()
        await session.say("1+2?")
        said = session.messages[-1]["content"] = "Adding. \n\n[Sub-agent reached maximum turn limit]"
        await session.say("go on")
    sent = api.requests[1].body["messages"]
    assert [part["type"] for each in sent for part in each["content"]] == [
        "text", "thinking", "text", "tool_use", "tool_result", "text"
    ]  # fmt: skip
    assert said not in str(sent)


async def test_the_turns_of_a_failed_run_stay(tree: Tree) -> None:
    """When a run fails after a tool call, the next chat goes on with the call and its result."""
    broken = error(400, "invalid_request_error", "no")
    async with chatting(tree, LOOK, broken, turn(text("Yes."))) as (api, gateway):
        session = await gateway.session()
        events = await session.say("1+2?")
        session.messages = [{"role": "user", "content": "1+2?"}]
        await session.say("try again")
    sent = api.requests[2].body["messages"]
    assert events[-1]["type"] == "error"
    assert [part["type"] for part in sent[1]["content"]] == ["thinking", "text", "tool_use"]
    assert sent[2]["content"][0]["content"] == [{"type": "text", "text": '{"sum":3}'}]


FAILURES = [
    (error(400, "invalid_request_error", "bad thing"), "provider_invalid_request", 1),
    (error(401, "authentication_error", "no key"), "provider_auth", 1),
    (error(429, "rate_limit_error", "slow down", {"retry-after": "0"}), "provider_rate_limited", 2),
    (error(529, "overloaded_error", "Overloaded"), "provider_overloaded", 2),
    (failing(text("Par")), "provider_overloaded", 2),
    (turn(text("Hel", "lo")).cut(4), "provider_c", 2),
    (turn(text("Hel", "lo")).short(4), "provider_cut_off", 2),
    (turn(text("Hel", "lo")).stalled(4), "provider_stalled", 2),
]


@pytest.mark.parametrize(("reply", "code", "tries"), FAILURES)
async def test_a_failing_provider(tree: Tree, reply: Reply, code: str, tries: int) -> None:
    """What is worth a retry is tried again and told; the rest, and the last try, end the stream with one error."""
    patience = "100ms" if code == "provider_stalled" else "1m"
    async with chatting(tree, reply, reply, more=f'stall_timeout = "{patience}"') as (api, gateway):
        events = await (await gateway.session()).say("hi")
    assert len(api.requests) == tries
    assert kinds(events).count("stream_retry") == tries - 1
    assert kinds(events).count("error") == 1
    assert events[-1]["error"].startswith(code)
    assert "sk-test" not in str(events)


async def test_a_retried_turn_starts_again(tree: Tree) -> None:
    """What a client keeps of a turn that broke off and was made again is the second try, in the ledger too."""
    async with chatting(tree, turn(text("Hel", "lo")).cut(4), turn(text("Bye"))) as (_, gateway):
        session = await gateway.session()
        events = await session.say("hi")
        (exchange,) = await gateway.gateway.edge.host.ledger.conversation(session.id)
    assert spoken(events) == "Bye" == exchange.answer


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (turn(tool("add", '{"a": 1, "b"')), "invalid_json"),
        (turn(tool("add", "[1, 2]")), "invalid_json"),
        (turn(tool("add", '{"a": 1, "b": 2'), stop="max_tokens"), "turn_cut_off"),
    ],
)
async def test_unreadable_arguments_never_run_a_tool(tree: Tree, reply: Reply, code: str) -> None:
    """The model is told that its call was not run."""
    async with chatting(tree, reply, turn(text("Sorry"))) as (api, gateway):
        events = await (await gateway.session()).say("hi")
    assert events[1]["error"]["code"] == code
    assert api.requests[1].body["messages"][-1]["content"][0]["is_error"] is True


async def test_the_fallback_takes_over(tree: Tree) -> None:
    """When retries are used up the fallback provider answers, and the client is told to start again."""
    busy = error(529, "overloaded_error", "Overloaded")
    toml = '[providers.spare]\nkind = "scripted"\nturns = [{text = "Spare"}]\n'
    async with chatting(tree, busy, busy, more='fallback = ["spare"]', toml=toml) as (_, gateway):
        events = await (await gateway.session()).say("hi")
    assert kinds(events) == ["stream_retry", "stream_retry", "text_delta", "stream_complete"]


async def test_the_budget(tree: Tree) -> None:
    """A turn over budget is the last: its tools are not run, and a note says why."""
    async with chatting(tree, LOOK, budget_usd=0.00001) as (api, gateway):
        events = await (await gateway.session()).say("hi")
    assert kinds(events) == ["thinking_delta", "text_delta", "budget_exceeded", "text_delta", "stream_complete"]
    assert events[2] == {"type": "budget_exceeded", "total_cost": 0.0001, "budget": 1e-05}
    assert events[3]["text"] == "\n\n[Budget limit reached: $0.0001 >= $0.0000]"
    assert len(api.requests) == 1


async def test_a_final_text_over_budget(tree: Tree) -> None:
    """The limit is told though the answer is whole."""
    async with chatting(tree, budget_usd=0.00001) as (_, gateway):
        events = await (await gateway.session()).say("hi")
    assert kinds(events)[-3:] == ["budget_exceeded", "text_delta", "stream_complete"]


async def test_a_posted_message_without_text(tree: Tree) -> None:
    """An empty answer in the history, as after a failed chat, does not make the model refuse."""
    async with chatting(tree) as (_, gateway):
        session = await gateway.session()
        session.messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}]
        events = await session.say("b")
    assert kinds(events)[-1] == "stream_complete"
