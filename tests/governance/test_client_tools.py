"""What interceptors do about tools that the caller's front end executes: before it is asked, and when it has answered.

The front end is asked with what interceptors make of the arguments, and the model reads what they make of the answer;
also when the gateway was started anew in between.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from headgate.testing.harness import live
from tests.conftest import Tree
from tests.governance.test_bypass import edit, steps, toml
from tests.server.native import PICK, Caller, settled
from tests.server.test_chat_tools import RESULT, answer, asked, rest

ARGS = {"name": "ann", "mail": "ann@example.com"}
KEY = "AKIA" + "Z7VRSQ5TJN2XMLPO"
"""Looks like a credential."""
AGAIN = {"error": {"code": "busy", "message": "Later.", "retryable": True}}
DONE = {"result": {"done": ["one", "two", "three"]}}
INPUT = "input: {type: object, properties: {name: {type: string}, mail: {type: string}}}\n"


@dataclass(frozen=True, slots=True)
class Behind:
    """What becomes of two equal calls behind an interceptor: `asked` are the arguments of the questions, `read` what
    the model reads: data, or the code of an error. `posts` are the answers of the front end. An interceptor that only
    keeps things in memory `forgets` them with a restart. `saying` is what watched ones say, by calls."""

    table: str
    asked: list[dict[str, Any]]
    read: list[Any]
    args: dict[str, Any] = field(default_factory=lambda: ARGS)
    posts: tuple[dict[str, Any], ...] = (DONE, DONE)
    hints: str = "{}"
    forgets: bool = False
    saying: int = 2


OK, READ_ONLY, FIRST = DONE["result"], "{read_only: true}", [ARGS]
KINDS = {
    "rate_limit": Behind('kind = "rate_limit"\nlimit = "1/d"', FIRST, [OK, "rate_limited"], forgets=True, saying=1),
    "rate_limit, once": Behind('kind = "rate_limit"\nlimit = "2/d"', FIRST * 2, [OK, OK], saying=0),
    "budget": Behind('kind = "budget"\ncalls = 1', FIRST, [OK, "budget_exceeded"], forgets=True, saying=1),
    "budget, once": Behind('kind = "budget"\ncalls = 2', FIRST * 2, [OK, OK], saying=0),
    "secrets in arguments": Behind(
        'kind = "secrets_scan"\ndetect = ["aws"]', [], ["secret_found"] * 2, args={"name": KEY},
    ),
    "secrets in results": Behind(
        'kind = "secrets_scan"\ndetect = ["aws"]', FIRST * 2, [{"a": "[secret:aws]"}] * 2,
        posts=({"result": {"a": KEY}},) * 2,
    ),
    "taint": Behind('kind = "taint"', FIRST, [OK, "tainted"], saying=1),
    "guard, arguments": Behind(
        'kind = "guard"\non = ["arguments"]\npatterns = ["ann@"]', [], ["guard_denied"] * 2,
    ),
    "guard, results": Behind(
        'kind = "guard"\non = ["results"]\npatterns = ["three"]', FIRST * 2, ["guard_denied"] * 2,
    ),
    "transform": Behind(
        'kind = "transform"\narguments = "{name: mail}"\nresult = "{done: done[0]}"', [{"name": ARGS["mail"]}] * 2,
        [{"done": "one"}] * 2,
    ),
    "redact": Behind(
        'kind = "redact"\ndetect = ["email"]\nin = ["arguments", "results"]\nwhen = "true"',
        [{"name": "ann", "mail": "[email]"}] * 2, [{"to": "[email]"}] * 2,
        posts=({"result": {"to": "bob@example.com"}},) * 2,
    ),
    "truncate": Behind(
        'kind = "truncate"\nmax_items = 1', FIRST * 2, [{"done": ["one", "[cut: 1 of 3 items are shown]"]}] * 2,
    ),
    "cache": Behind('kind = "cache"', FIRST, [OK, OK], hints=READ_ONLY, saying=1),
    "retry": Behind(
        'kind = "retry"\nmax = 1\nbackoff = "1ms"', FIRST * 3, [OK, "busy"], hints=READ_ONLY,
        posts=(AGAIN, DONE, {"error": {"code": "busy", "message": "Never."}}), saying=1,
    ),
    "retry, in vain": Behind(
        'kind = "retry"\nmax = 1\nbackoff = "1ms"', FIRST * 4, ["busy", "busy"], hints=READ_ONLY, posts=(AGAIN,) * 4,
    ),
}  # fmt: skip


def script(args: dict[str, Any], times: int = 2) -> str:
    """So many turns that call `pick`, one after the other."""
    return f"- {{call: pick, args: {json.dumps(args)}}}\n" * times + "- {text: Done}\n"


def pick(hints: str = "{}") -> dict[str, str]:
    """The client tool."""
    return {"tools/pick.yaml": PICK["tools/pick.yaml"] + f"{INPUT}annotations: {hints}\n"}


@dataclass(frozen=True, slots=True)
class Played:
    """What a front end was asked, what the model read, and what was decided."""

    asked: list[dict[str, Any]]
    read: list[Any]
    decisions: list[dict[str, Any]]


async def play(root: Path, posts: tuple[dict[str, Any], ...], *, restart: bool = False) -> Played:
    """A run whose questions are answered with these; with `restart`, each by a gateway that was started anew."""
    questions: list[dict[str, Any]] = []
    async with live(root, watch=False) as gateway:
        run = await Caller(gateway).begin()
        await settled(gateway)
        if not restart:
            while await answered(Caller(gateway), run, posts, questions):
                await settled(gateway)
            return await played(Caller(gateway), run, questions)
    while True:
        async with live(root, watch=False) as gateway:
            more = await answered(Caller(gateway), run, posts, questions)
            await settled(gateway)
            if not more:
                return await played(Caller(gateway), run, questions)


async def answered(
    caller: Caller, run: str, posts: tuple[dict[str, Any], ...], questions: list[dict[str, Any]]
) -> bool:
    """Answers the question that is pending, if there is one."""
    waits = (await caller.ask("GET", f"/v1/waits?run={run}&state=pending"))["items"]
    for wait in waits:
        questions.append(wait["args"])
        await caller.ask("POST", f"/v1/waits/{wait['id']}/answer", posts[len(questions) - 1])
    return bool(waits)


async def played(caller: Caller, run: str, questions: list[dict[str, Any]]) -> Played:
    """The whole of a run that has ended."""
    assert await caller.state(run) == "completed"
    told = await caller.told(run)
    results = [each["result"] for each in await steps(caller, run)]
    read = [each["error"]["code"] if each["error"] else each["structured"] for each in results]
    return Played(questions, read, [each.data for each in told if each.event == "policy.decided"])


@pytest.mark.parametrize("restart", [False, True], ids=["at once", "after restarts"])
@pytest.mark.parametrize("name", KINDS)
async def test_enforced(tree: Tree, name: str, restart: bool) -> None:
    """What is refused does not reach the front end; what is charged is charged once; a result is seen as it is told."""
    case = KINDS[name]
    root = tree(script(case.args), toml=f"[interceptors.rule]\n{case.table}\n", files=pick(case.hints))
    found = await play(root, case.posts, restart=restart)
    if restart and case.forgets:
        assert found == Played([case.args] * 2, [OK, OK], [])
    else:
        assert (found.asked, found.read) == (case.asked, case.read)


@pytest.mark.parametrize(("mode", "restart"), [("warn", False), ("warn", True), ("audit", False)])
@pytest.mark.parametrize("name", KINDS)
async def test_watched(tree: Tree, name: str, mode: str, restart: bool) -> None:
    """The front end is asked once about each call, with the arguments as they are, and the model reads its answer as it
    is; with `warn` it reads the warning too. What would have been done is said once."""
    case = KINDS[name]
    table = f'[interceptors.rule]\n{case.table}\nmode = "{mode}"\n'
    found = await play(tree(script(case.args), toml=table, files=pick(case.hints)), case.posts, restart=restart)
    assert found.asked == [case.args] * 2
    plain = [{key: value for key, value in each.items() if key != "_warnings"} for each in found.read if each != "busy"]
    assert plain == [each["result"] for each in case.posts[:2] if "result" in each]
    saying = 0 if restart and case.forgets else case.saying
    if mode == "audit":
        assert found.decisions == []
        assert [each for each in found.read if "_warnings" in each] == []
    else:
        assert len(found.decisions) == saying, found.decisions
        warned = [each for each in found.read if "_warnings" in each]
        assert [len(each["_warnings"]) for each in warned] == [1] * (0 if "retry" in name else saying)


async def test_in_the_chat(tree: Tree) -> None:
    """The frames of the chat API have the arguments as interceptors make them, and the result too."""
    table = f"[interceptors.rule]\n{KINDS['redact'].table}\n"
    async with live(tree(script(ARGS, 1), toml=table, files=pick()), watch=False) as gateway:
        session = await gateway.session()
        async with asked(session) as (events, (frame,)):
            assert frame["tool_input"] == {"name": "ann", "mail": "[email]"}
            await answer(session, RESULT, frame, result={"to": "bob@example.com"})
            after = await rest(events)
    assert [each["result"] for each in after if each["type"] == "tool_call_complete"] == [{"to": "[email]"}]


async def test_in_the_chat_again(tree: Tree) -> None:
    """A front end of the chat API may say that it can be asked again, and is then asked under a nonce of its own."""
    table = f"[interceptors.rule]\n{KINDS['retry'].table}\n"
    async with live(tree(script(ARGS, 1), toml=table, files=pick(READ_ONLY)), watch=False) as gateway:
        session = await gateway.session()
        async with asked(session) as (events, (frame,)):
            await answer(session, RESULT, frame, error=AGAIN["error"])
            async for event in events:
                if event["type"] == "tool_execute_request":
                    break
            assert event["nonce"] != frame["nonce"]
            assert (await answer(session, RESULT, frame, result=OK))[0] == 409
            assert (await answer(session, RESULT, event, result=OK))[0] == 200
            after = await rest(events)
    assert [each["result"] for each in after if each["type"] == "tool_call_complete"] == [OK]


CHAIN = """
[interceptors.limit]
kind = "rate_limit"
limit = "3/d"
[interceptors.again]
kind = "retry"
max = 2
backoff = "1ms"
[interceptors.count]
kind = "budget"
calls = 3
[interceptors.short]
kind = "transform"
arguments = "{name: join('-', [name, 'x'])}"
"""


async def test_a_chain(tree: Tree) -> None:
    """Those inside of a retry are passed with each attempt, those outside once; arguments are changed once."""
    posts = (AGAIN, AGAIN, DONE)
    root = tree(script({"name": "ann"}, 1), toml=CHAIN, files=pick(READ_ONLY))
    found = await play(root, posts, restart=True)
    assert found.asked == [{"name": "ann-x"}] * 3
    assert found.read == [OK]
    assert Counter(each["policy"] for each in found.decisions) == {"again": 1, "short": 3}


async def test_what_was_only_watched_is_judged_when_it_is_enforced(tree: Tree) -> None:
    """An edit while the front end is busy: its answer is not shown."""
    table = '[interceptors.rule]\nkind = "guard"\non = ["arguments"]\npatterns = ["ann@"]\nmode = "warn"\n'
    root = tree(script(ARGS, 1), toml=table, files=pick())
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        assert await edit(gateway, gateway_toml=toml(root).replace('mode = "warn"\n', "")) == "applied"
        await caller.ask("POST", f"/v1/waits/{wait['id']}/answer", DONE)
        await settled(gateway)
        (step,) = await steps(caller, run)
    assert step["result"]["error"]["code"] == "guard_denied"


async def test_who_comes_in_between_judges_too(tree: Tree) -> None:
    """An interceptor that an edit adds while the front end is busy sees arguments and result."""
    root = tree(script(ARGS, 1), files=pick())
    added = '[interceptors.rule]\nkind = "guard"\non = ["arguments"]\npatterns = ["ann@"]\n'
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        assert await edit(gateway, gateway_toml=toml(root) + added) == "applied"
        await caller.ask("POST", f"/v1/waits/{wait['id']}/answer", DONE)
        await settled(gateway)
        (step,) = await steps(caller, run)
    assert step["result"]["error"]["code"] == "guard_denied"


async def test_nobody_answers(tree: Tree) -> None:
    """An answer that does not come in time taints nothing, and is not asked for again."""
    tables = '[interceptors.rule]\nkind = "taint"\n[interceptors.again]\nkind = "retry"\n'
    late = {
        "tools/pick.yaml": "kind: client\ndescription: Picks.\nexpires: 20ms\nannotations: {idempotent: true}\n" + INPUT
    }
    async with live(tree(script(ARGS), toml=tables, files=late), watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        await caller.told(run)
        found = await steps(caller, run)
    assert [each["result"]["status"] for each in found] == ["expired", "expired"]
