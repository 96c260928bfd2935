"""Questions of MCP servers at a terminal: in a conversation, in a run without anybody, with `headgate approvals`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headgate.testing.harness import live
from tests.cli.console import console, headgate, report
from tests.cli.trees import KEYS
from tests.conftest import Tree
from tests.elicitation.asking import ADA, ERAS, alone, asked, desk, gone, inquiring, outcomes
from tests.server.native import Caller

CHOICE = "[a]nswer / [d]ecline / [c]ancel: "
TALK = "- {when: {user_contains: compute}, call: desk__inquire, args: {}}\n- {text: Done.}\n"


async def _fill(shown: Any) -> str:
    said: str = await shown.ask("compute", CHOICE)
    for typed, then in (("a\n", "Your name (text): "), ("A\n", "age ("), ("\n", "plan (")):
        shown.type(typed)
        await shown.see(then)
    shown.type("gold\n")
    await shown.see("name does not keep minLength 2")
    for typed, then in (("Ada\n", "age ("), ("36\n", "plan (")):
        shown.type(typed)
        await shown.see(then)
    shown.type("\n")
    return said


@pytest.mark.parametrize("era", ERAS)
async def test_a_conversation_with_a_tree(tmp_path: Path, era: str) -> None:
    """The form is filled in field by field, again if it does not fit, and the answer goes on."""
    root = alone(tmp_path, TALK, era)
    async with console("chat", "helper", home=root) as shown:
        said = await _fill(shown)
        await shown.see("desk__inquire: answered by local operator")
        await shown.see("Done.")
    assert "MCP server desk asks you, for desk__inquire; these are its own words:\n    | Who are you? (1)\n" in said


@pytest.mark.parametrize("era", ERAS)
async def test_a_conversation_with_a_server(tree: Tree, era: str) -> None:
    """The chat API has no frame for it: the question is found beside the stream."""
    async with live(tree(TALK, toml=desk(era), tools=[])) as gateway:
        words = ("chat", "helper", "--url", gateway.url)
        async with console(*words, home=gateway.root, environ=KEYS) as shown:
            await _fill(shown)
            await shown.see("Done.")
        (run, *_) = (await Caller(gateway).ask("GET", "/v1/runs"))["items"]
        (result,) = outcomes(await Caller(gateway).told(run["id"]))
    assert result["got"]["q1"]["content"] == {"name": "Ada", "age": 36, "plan": "free"}


async def test_a_question_that_somebody_else_answers(tree: Tree) -> None:
    """Whoever is typing is told that no answer is needed any more."""
    async with live(tree(TALK, toml=desk("modern"), tools=[])) as gateway:
        words = ("chat", "helper", "--url", gateway.url)
        async with console(*words, home=gateway.root, environ=KEYS) as shown:
            await shown.ask("compute", CHOICE)
            caller = Caller(gateway)
            (wait,) = (await caller.ask("GET", "/v1/waits?state=pending"))["items"]
            await caller.ask("POST", f"/v1/waits/{wait['id']}/answer", ADA)
            await shown.see("no answer about desk__inquire is needed any more")
            await shown.see("Done.")


@pytest.mark.parametrize("era", ERAS)
async def test_a_run_without_anybody(tmp_path: Path, era: str) -> None:
    """The server is told no, a notice says so, and the run goes on."""
    root = alone(tmp_path, TALK, era)
    done = await headgate("run", "helper", "compute", "--format", "json", home=root)
    assert (done.code, report(done)["text"]) == (0, "Done.")
    assert "nobody is here: it is declined" in done.err


async def test_approvals(tree: Tree, tmp_path: Path) -> None:
    """Questions are listed, shown with their form, and answered with values, a file, or no."""
    script = inquiring({}, {}, {})
    async with live(tree(script, toml=desk("modern"), tools=[])) as gateway:
        caller = Caller(gateway)

        async def said(*words: str, typed: str = "") -> Any:
            return await headgate("approvals", *words, "--url", gateway.url, home=tmp_path, environ=KEYS, typed=typed)

        run = await caller.begin()
        first, second, third = (each["id"] for each in await asked(caller, run, 3))
        assert "an answer to its server wanted for tester" in (await said("list")).out
        shown = (await said("show", first)).out
        assert "desk asks, in its own words:\n              | Who are you? (1)\n" in shown
        assert "field       name: Your name; text; required\n" in shown
        wrong = await said("answer", first, "age=old")
        assert (wrong.code, "name is missing; age must be of the type integer" in wrong.err) == (1, True)
        assert (await said("answer", first, "name=Ada", "age=36")).code == 0
        assert (await said("answer", second, "--content", "-", typed=json.dumps({"name": "Bob"}))).code == 0
        assert (await said("answer", third, "--decline")).code == 0
        found = outcomes(await caller.told(run))
    replies = [each["got"]["q1"] for each in found]
    assert {each.get("content", {}).get("name") for each in replies} == {"Ada", "Bob", None}
    assert {each["action"] for each in replies} == {"accept", "decline"}


async def test_a_tree_that_nobody_serves(tree: Tree) -> None:
    """An answer to a run that waits is kept, and the run goes on when the tree is served again."""
    root = tree(inquiring(), toml=desk("modern"), tools=[])
    async with live(root) as gateway:
        run = await Caller(gateway).begin()
        (wait,) = await asked(Caller(gateway), run)
        await gone(Caller(gateway))
    done = await headgate("approvals", "answer", wait["id"], "name=Ada", "--tree", str(root), home=root)
    assert done.code == 0, done.err
    async with live(root) as gateway:
        (result,) = outcomes(await Caller(gateway).told(run))
    assert result["got"]["q1"]["content"] == {"name": "Ada", "plan": "free"}
