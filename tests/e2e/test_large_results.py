"""Results beyond `[limits] tool_output`: the model gets the beginning, and reads the rest with `read_result`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.testing.harness import Events, agent_md
from tests import workshop
from tests.conftest import Tree
from tests.e2e.stage import MODELS, REMOTE, Stage, kinds, replies, saying, staged
from tests.waiting import until

LIMITS = '[limits]\ntool_output = "1KiB"\n'
FILES = {"tools/rows.yaml": "kind: function\ndescription: Many rows.\ncall: tests.workshop:rows\n"}


def calling(kind: str, tool: str, id: str, /, **args: Any) -> Any:
    """A turn with one call."""
    made = replies(kind)
    return made.turn(made.tool(tool, args, id=id))


def offered(stage: Stage, kind: str) -> list[bool]:
    """For each request of the provider, whether `read_result` was offered."""
    return ["'name': 'read_result'" in str(each.body["tools"]) for each in stage.mock(kind).requests]


def results(events: Events) -> list[Any]:
    """What the calls gave, or the codes of their errors."""
    ended = [event for event in events if event["type"] == "tool_call_complete"]
    return [event["error"]["code"] if event["error"] else event["result"] for event in ended]


@pytest.mark.parametrize("kind", REMOTE)
async def test_a_large_result_is_read_on(tree: Tree, kind: str) -> None:
    """The cut result names a handle; from the next turn on its rest is read by offset, or found by a query."""
    turns = [
        calling(kind, "rows", "big", n=200),
        calling(kind, "read_result", "q", handle="big", query="rows[199].name"),
        calling(kind, "read_result", "p", handle="big", offset=1024, length=40),
        saying(kind, "ok"),
    ]
    async with staged(tree, toml=LIMITS, files=FILES, model=MODELS[kind]) as stage:
        stage.cue(kind, *turns)
        head, found, piece = results(await (await stage.gateway.session()).say("hi"))
        assert offered(stage, kind) == [False, True, True, True]
    size = int(head.partition("of ")[2].split()[0])
    assert head.startswith('{"rows":[{"n":0,"name":"row 0"}')
    assert head.endswith("read_result reads on, until this run ends, with handle 'big']")
    assert len(head) < 1024 + 200 < size
    assert found == "row 199"
    assert piece.endswith(f"\n[bytes 1024 to 1064 of {size}; go on with offset 1064]")


async def test_a_handle_is_good_for_its_run(tree: Tree) -> None:
    """The next chat of the session is not offered the tool, and a call all the same is answered with what to do."""
    async with staged(tree, toml=LIMITS, files=FILES, model="claude/auto") as stage:
        session = await stage.gateway.session()
        stage.cue("anthropic", calling("anthropic", "rows", "big", n=200), saying("anthropic", "ok"))
        await session.say("hi")
        stage.cue("anthropic", calling("anthropic", "read_result", "q", handle="big"), saying("anthropic", "ok"))
        events = await session.say("and the rest?")
        assert offered(stage, "anthropic") == [False, True, False, False]
    assert results(events) == ["unknown_tool"]
    assert "make them again" in str(events)


@pytest.mark.parametrize("spill", ["0B", "2KiB"])
async def test_what_is_not_kept(tree: Tree, spill: str) -> None:
    """A result that the spill has no room for is cut without a handle, and the tool is not offered for it."""
    toml = f'{LIMITS}spill = "{spill}"\n'
    async with staged(tree, toml=toml, files=FILES, model="claude/auto") as stage:
        stage.cue("anthropic", calling("anthropic", "rows", "big", n=200), saying("anthropic", "ok"))
        (head,) = results(await (await stage.gateway.session()).say("hi"))
        assert offered(stage, "anthropic") == [False, False]
    assert head.endswith(" bytes are shown]")


async def test_reading_on_is_checked_like_any_call(tree: Tree) -> None:
    """Arguments are checked, errors are the model's to read, and a result that is too large again is cut and not kept
    once more."""
    ask = [
        calling("anthropic", "read_result", "a", handle="big", offset=-1),
        calling("anthropic", "read_result", "b", handle="nope"),
        calling("anthropic", "read_result", "c", handle="big", query="rows"),
        saying("anthropic", "ok"),
    ]
    async with staged(tree, toml=LIMITS, files=FILES, model="claude/auto") as stage:
        stage.cue("anthropic", calling("anthropic", "rows", "big", n=200), *ask)
        events = await (await stage.gateway.session()).say("hi")
        _, first, second, third = results(events)
    assert (first, second) == ("invalid_arguments", "unknown_handle")
    assert third.endswith("bytes are shown]")
    assert kinds(events)[-1] == "stream_complete"


async def test_an_edit_does_not_take_it_away(tree: Tree) -> None:
    """A run that began before an edit goes on reading what it keeps, though no agent may name the tool."""
    turns = [
        calling("anthropic", "rows", "big", n=200),
        calling("anthropic", "wait", "gate", name="edit"),
        calling("anthropic", "read_result", "q", handle="big", query="length(rows)"),
        saying("anthropic", "ok"),
    ]
    async with staged(tree, toml=LIMITS, files=FILES, model="claude/auto") as stage:
        stage.cue("anthropic", *turns)
        talk = asyncio.create_task((await stage.gateway.session()).say("hi"))
        await until(lambda: "edit" in workshop.entered)
        stage.gateway.edit("agents/helper.md", agent_md(model="claude/auto", tools=["wait"]))
        assert (await stage.gateway.reload())["status"] == "applied"
        workshop.gate("edit").set()
        assert results(await talk)[2] == 200


async def test_a_secret_is_not_kept(tree: Tree) -> None:
    """What is kept is as clean as what is shown: no piece of it holds a secret of the tree."""
    piece = calling("anthropic", "read_result", "p", handle="big", offset=2000, length=500)
    async with staged(tree, toml=LIMITS, model="claude/auto") as stage:
        topic = "sk-test-of-the-mocks " * 300
        stage.cue("anthropic", calling("anthropic", "talk", "big", topic=topic), piece, saying("anthropic", "ok"))
        head, rest = results(await (await stage.gateway.session()).say("hi"))
    assert "sk-test" not in head + rest
    assert "[redacted" in rest
