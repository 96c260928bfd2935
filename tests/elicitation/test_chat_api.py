"""Questions of MCP servers behind the chat API, whose frames have no word for them."""

from __future__ import annotations

import pytest

from headgate.testing.harness import live
from headgate.testing.mcp_http import http_server
from tests.conftest import Tree
from tests.elicitation.asking import ERAS, SEEN, asked, desk, gone, inquiring, outcomes, reply
from tests.server.native import Caller
from tests.waiting import until


@pytest.mark.parametrize("era", ERAS)
async def test_the_stream_goes_on(tree: Tree, era: str) -> None:
    """No frame tells of the question; it is answered at the native API, and the stream has the result."""
    async with live(tree(inquiring(), toml=desk(era), tools=[]), watch=False, keepalive=0.1) as gateway:
        chat, caller = await gateway.session(), Caller(gateway)
        chat.messages.append({"role": "user", "content": "hi"})
        async with chat.stream() as events:
            seen = [await anext(events)]
            (run, *_) = (await caller.ask("GET", "/v1/runs"))["items"]
            (wait,) = await asked(caller, run["id"])
            seen.append(await anext(events))
            await reply(caller, wait)
            seen += [event async for event in events]
    kinds = {each["type"] for each in seen}
    assert kinds <= {"tool_call_start", "heartbeat", "tool_call_complete", "text_delta", "stream_complete"}
    (done,) = [each for each in seen if each["type"] == "tool_call_complete"]
    assert done["result"]["got"] == {"q1": SEEN}


async def test_nobody_answers_a_chat(tree: Tree) -> None:
    """The chat goes on when the time of the question is over."""
    toml = desk("modern", elicitation_timeout='"20ms"')
    async with live(tree(inquiring(), toml=toml, tools=[]), watch=False) as gateway:
        events = await (await gateway.session()).say("hi")
    (done,) = [each for each in events if each["type"] == "tool_call_complete"]
    assert done["result"]["got"] == {"q1": {"action": "cancel"}}
    assert events[-1]["type"] == "stream_complete"


@pytest.mark.parametrize("era", ["legacy", "both"])
async def test_servers_over_http(tree: Tree, era: str) -> None:
    """Over streamable HTTP a question is told from that of another run, in both eras."""
    async with http_server(era=era) as server:
        toml = f'[egress]\nallow = ["127.0.0.1"]\n[mcp.servers.web]\nurl = "{server.url}"\n'
        script = (
            "- {when: {user_contains: sleep}, call: web__sleep, args: {}}\n- {call: web__ask, args: {}}\n- {text: x}\n"
        )
        async with live(tree(script, toml=toml, tools=[]), watch=False) as gateway:
            caller = Caller(gateway)
            other = await caller.begin("sleep")
            await until(lambda: "sleep" in server.calls)
            first, second = await caller.begin(), await caller.begin()
            for run, action in ((first, "decline"), (second, "cancel")):
                (wait,) = await asked(caller, run)
                await reply(caller, wait, {"action": action})
            told = [await caller.told(run) for run in (first, second)]
            await caller.send("POST", f"/v1/runs/{other}/cancel")
            await gone(caller)
    said = [
        [each.data["result"]["content"][0]["text"] for each in run if each.event == "tool.completed"] for run in told
    ]
    assert said == [["decline"], ["cancel"]]
    assert [outcomes(run) for run in told] == [[None], [None]]
