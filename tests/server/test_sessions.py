"""Sessions by their native routes, whichever API began them."""

from __future__ import annotations

import json

from headgate.testing.harness import KEY, Conversation, agent_md, gateway_toml, live, spoken
from tests.conftest import DEFAULT, Tree
from tests.server.native import ASK, CALL, Caller, at_gate
from tests.waiting import until

TALK = "- {when: {user_contains: add}, text: Adding, call: add, args: {a: 1, b: 2}}\n- {text: Said}\n"


async def test_a_session(tree: Tree) -> None:
    """A session is opened, listed, and described; it belongs to one agent."""
    async with live(tree(files={"agents/second.md": agent_md(model="default/auto")}), watch=False) as gateway:
        caller = Caller(gateway)
        answer = await caller.send("POST", "/v1/sessions", {"agent": "second"})
        made = answer.json()
        other = await caller.ask("POST", "/v1/sessions", status=201)
        one = await caller.ask("GET", answer.headers["location"])
        listed = await caller.ask("GET", "/v1/sessions?agent_id=second&state=open")
        first = await caller.ask("GET", "/v1/sessions?limit=1")
        rest = await caller.ask("GET", f"/v1/sessions?limit=1&cursor={first['next']}")
        unknown = await caller.code("POST", "/v1/sessions", {"agent": "none"})
    assert answer.status_code == 201
    assert made.pop("session_token").count(".") == 2
    assert one == made
    assert (one["agent_id"], one["state"], one["turn_count"], one["head_run"]) == ("second", "open", 0, None)
    assert one["expires_at"] - one["created_at"] == 3600
    assert listed == {"items": [one], "next": None}
    assert {each["session_id"] for each in first["items"] + rest["items"]} == {made["session_id"], other["session_id"]}
    assert (rest["next"], unknown) == (None, (404, "agent_not_found"))


async def test_one_conversation_in_two_apis(tree: Tree) -> None:
    """What the chat API said is there for the native one, and the other way round."""
    async with live(tree(), watch=False) as gateway:
        caller = Caller(gateway)
        chat = await gateway.session()
        await chat.say("from the chat")
        body = {"message": "natively", "session_id": chat.id}
        turn = await caller.ask("POST", "/v1/agents/helper/chat", body)
        chat.messages += [{"role": "user", "content": "natively"}, {"role": "assistant", "content": "Hello there"}]
        await chat.say("and back")
        said = (await caller.ask("GET", f"/v1/sessions/{chat.id}/messages"))["items"]
        made = await caller.ask("POST", "/v1/sessions", status=201)
        assert spoken(await Conversation(gateway.http, made["session_token"], made["session_id"]).say("hi"))
        view = await caller.ask("GET", f"/v1/sessions/{made['session_id']}")
    assert turn["turn_count"] == 2
    assert [each["content"] for each in said if each["role"] == "user"] == ["from the chat", "natively", "and back"]
    assert (view["turn_count"], view["message_count"]) == (1, 2)


async def test_messages(tree: Tree) -> None:
    """The conversation comes with tool calls and results, in pages."""
    async with live(tree(TALK), watch=False) as gateway:
        caller = Caller(gateway)
        turn = await caller.ask("POST", "/v1/agents/helper/chat", {"message": "add"})
        path = f"/v1/sessions/{turn['session_id']}/messages"
        first = await caller.ask("GET", f"{path}?limit=3")
        rest = await caller.ask("GET", f"{path}?limit=3&cursor={first['next']}")
    messages = first["items"] + rest["items"]
    call = messages[1]["parts"][1]
    assert [each["role"] for each in messages] == ["user", "assistant", "user", "assistant"]
    assert [each["content"] for each in messages] == ["add", "Adding", "", "Said"]
    assert (call["type"], call["name"], call["args"]) == ("tool_call", "add", {"a": 1, "b": 2})
    result = messages[2]["parts"][0]
    assert (result["type"], result["call_id"]) == ("tool_result", call["id"])
    assert result["result"]["structured"] == {"sum": 3}
    assert {each["run_id"] for each in messages} == {turn["run_id"]}
    assert len({each["message_id"] for each in messages}) == 4
    assert rest["next"] is None


async def test_a_fork(tree: Tree) -> None:
    """A fork knows what was said until then, goes its own way, and outlives where it came from."""
    async with live(tree(), watch=False) as gateway:
        caller = Caller(gateway)
        chat = "/v1/agents/helper/chat"
        first = await caller.ask("POST", chat, {"message": "one"})
        origin = first["session_id"]
        await caller.ask("POST", chat, {"message": "two", "session_id": origin})
        early = await caller.ask("POST", f"/v1/sessions/{origin}/fork", {"run_id": first["run_id"]}, 201)
        late = await caller.ask("POST", f"/v1/sessions/{origin}/fork", status=201)
        await caller.ask("POST", chat, {"message": "three", "session_id": early["session_id"]})
        assert await caller.code("POST", f"/v1/sessions/{origin}/fork", {"run_id": "run_0"}) == (404, "run_not_found")
        assert await caller.ask("DELETE", f"/v1/sessions/{origin}") == {"deleted": True}
        said = {
            name: [each["content"] for each in (await caller.ask("GET", path))["items"] if each["role"] == "user"]
            for name, path in (
                ("early", f"/v1/sessions/{early['session_id']}/messages"),
                ("late", f"/v1/sessions/{late['session_id']}/messages"),
            )
        }
        exported = await caller.ask("GET", f"/v1/sessions/{early['session_id']}/export")
    assert (early["parent"], early["head_run"], early["agent_id"]) == (origin, first["run_id"], "helper")
    assert said == {"early": ["one", "three"], "late": ["one", "two"]}
    assert (len(exported["runs"]), exported["runs"][0]["id"]) == (2, first["run_id"])


async def test_a_fork_of_a_session_that_is_busy(tree: Tree) -> None:
    """A fork stands on what has ended, so that it ends nothing."""
    async with live(tree(CALL, toml=ASK), watch=False) as gateway:
        caller = Caller(gateway)
        session = (await caller.ask("POST", "/v1/sessions", status=201))["session_id"]
        run, _ = await caller.waiting(session_id=session)
        fork = await caller.ask("POST", f"/v1/sessions/{session}/fork", status=201)
        refused = await caller.code("POST", f"/v1/sessions/{session}/fork", {"run_id": run})
        state = await caller.state(run)
    assert (fork["head_run"], state, refused) == (None, "waiting", (409, "run_in_progress"))


async def test_a_closed_session(tree: Tree) -> None:
    """Closing ends a session for every API, and frees its place; closing again changes nothing."""
    async with live(tree(toml="[server.limits]\nsessions = 1\n"), watch=False) as gateway:
        caller = Caller(gateway)
        chat = await gateway.session()
        await chat.say("hi")
        full = await caller.code("POST", "/v1/sessions")
        closed = await caller.ask("POST", f"/v1/sessions/{chat.id}/close")
        again = await caller.ask("POST", f"/v1/sessions/{chat.id}/close")
        answer = await gateway.http.post("/api/chat", json={"messages": chat.messages}, headers=chat.headers)
        said = (await caller.ask("GET", f"/v1/sessions/{chat.id}/messages"))["items"]
        await caller.ask("POST", "/v1/sessions", status=201)
    assert full == (429, "too_many_sessions")
    assert closed["state"] == "closed"
    assert closed == again
    assert (answer.status_code, answer.json()) == (401, {"detail": "Unknown session"})
    assert [each["content"] for each in said] == ["hi", "Hello there"]


async def test_a_deleted_session(tree: Tree) -> None:
    """Its runs and its messages are gone with it."""
    async with live(tree(), watch=False) as gateway:
        caller = Caller(gateway)
        turn = await caller.ask("POST", "/v1/agents/helper/chat", {"message": "hi"})
        path = f"/v1/sessions/{turn['session_id']}"
        assert await caller.ask("DELETE", path) == {"deleted": True}
        gone = [await caller.code(method, path) for method in ("GET", "DELETE")]
        run = await caller.code("GET", f"/v1/runs/{turn['run_id']}")
    assert gone == [(404, "session_not_found")] * 2
    assert run == (404, "run_not_found")


async def test_an_export(tree: Tree) -> None:
    """One document holds the session, its runs, and all that was said."""
    async with live(tree(TALK), watch=False) as gateway:
        caller = Caller(gateway)
        turn = await caller.ask("POST", "/v1/agents/helper/chat", {"message": "add"})
        session = turn["session_id"]
        answer = await caller.send("GET", f"/v1/sessions/{session}/export")
        said = (await caller.ask("GET", f"/v1/sessions/{session}/messages"))["items"]
    whole = json.loads(answer.content)
    assert answer.headers["content-disposition"] == f'attachment; filename="{session}.json"'
    assert (whole["format"], whole["session"]["session_id"]) == ("headgate.session/1", session)
    assert [each["id"] for each in whole["runs"]] == [turn["run_id"]]
    assert whole["messages"] == said


async def test_a_conversation_after_a_restart(tree: Tree) -> None:
    """The next process goes on where this one was."""
    root = tree()
    async with live(root, watch=False) as gateway:
        turn = await Caller(gateway).ask("POST", "/v1/agents/helper/chat", {"message": "one"})
    async with live(root, watch=False) as gateway:
        body = {"message": "two", "session_id": turn["session_id"]}
        again = await Caller(gateway).ask("POST", "/v1/agents/helper/chat", body)
        said = (await Caller(gateway).ask("GET", f"/v1/sessions/{turn['session_id']}/messages"))["items"]
    assert again["turn_count"] == 2
    assert [each["content"] for each in said if each["role"] == "user"] == ["one", "two"]


async def test_a_chat_ends_a_run_that_nobody_watches(tree: Tree) -> None:
    """A run that was begun natively is superseded by the session's next chat, as any other is."""
    script = "- {when: {user_contains: wait}, call: wait, args: {name: held}}\n- {text: Said}\n"
    async with live(tree(script), watch=False) as gateway:
        caller, chat = Caller(gateway), await gateway.session()
        run = await caller.begin("wait", session_id=chat.id)
        await at_gate("held")
        async with caller.follow(run) as events:
            await anext(events)
            body = {"messages": [{"role": "user", "content": "hi"}]}
            busy = await gateway.http.post("/api/chat", json=body, headers=chat.headers)
        await until(lambda: not gateway.gateway.edge.host.streams.count("tester"))
        said = spoken(await chat.say("hi"))
        state = await caller.state(run)
    assert (busy.status_code, said, state) == (409, "Said", "cancelled")


async def test_another_key_of_the_same_name(tree: Tree) -> None:
    """A key whose secret was changed keeps its sessions natively, while tokens of the old one are void."""
    root = tree()
    async with live(root, watch=False) as gateway:
        chat = await gateway.session()
        await chat.say("hi")
        toml = gateway_toml('[functions]\npackages = ["tests.workshop"]\n', top=DEFAULT)
        gateway.edit("gateway.toml", toml.replace(KEY, "a-new-key-of-the-harness"))
        assert (await gateway.reload())["status"] == "applied"
        caller = Caller(gateway, "a-new-key-of-the-harness")
        turn = await caller.ask("POST", "/v1/agents/helper/chat", {"message": "more", "session_id": chat.id})
        token = await gateway.http.post("/api/chat", json={"messages": chat.messages}, headers=chat.headers)
    assert turn["turn_count"] == 2
    assert token.status_code == 401
