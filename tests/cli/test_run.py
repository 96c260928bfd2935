"""One task without anybody at the terminal: what is printed, and the exit code."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headgate.testing.anthropic_api import AnthropicApi
from headgate.testing.anthropic_replies import failing, text, tool, turn
from tests.cli.console import console, headgate, report
from tests.cli.trees import anthropic, tree


async def test_answer(tmp_path: Path) -> None:
    """The answer alone is on standard output, without what was said before the tools."""
    done = await headgate("run", "helper", "compute it", home=tree(tmp_path))
    assert (done.code, done.out, done.err) == (0, "It is 3.\n", "")


async def test_report(tmp_path: Path) -> None:
    """The report names the run, its revision and its tools with status and duration."""
    done = await headgate("run", "helper", "compute it", "--format", "json", home=tree(tmp_path))
    told = report(done)
    assert list(told) == ["run", "agent", "revision", "model", "outcome", "text", "usage", "cost", "turns", "tools"]
    assert (told["agent"], told["model"], told["outcome"], told["turns"]) == ("helper", "scripted", "success", 2)
    assert told["run"].startswith("run_")
    assert len(told["revision"]) == 64
    assert [(each["name"], each["status"]) for each in told["tools"]] == [("calculate", "ok"), ("calculate", "error")]
    assert told["usage"]["output"] > 0


async def test_standard_input(tmp_path: Path) -> None:
    """`-` reads the task from standard input."""
    done = await headgate("run", "helper", "-", home=tree(tmp_path), typed="say it again\n")
    assert (done.code, done.out) == (0, "You said: say it again\n")


async def test_retry(tmp_path: Path) -> None:
    """A turn that was made again has one answer, and what was void is not in it."""
    async with AnthropicApi(failing(text("Void words")), turn(text("Real words"))) as api:
        done = await headgate("run", "helper", "hi", home=tree(tmp_path, provider=anthropic(api)))
    assert (done.code, done.out) == (0, "Real words\n")


async def test_error(tmp_path: Path) -> None:
    """A provider's refusal is exit code 1, with its code on standard error and nothing on standard output."""
    done = await headgate("run", "helper", "broken", home=tree(tmp_path))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("headgate: provider_invalid_request: ")


async def test_budget(tmp_path: Path) -> None:
    """A spent budget is exit code 2; the report has the cost."""
    usage = {"input_tokens": 100_000, "output_tokens": 100_000}
    async with AnthropicApi(turn(text("Dear"), tool("calculate", {"expression": "1"}), usage=usage)) as api:
        root = tree(tmp_path, provider=anthropic(api), budget_usd=0.01)
        done = await headgate("run", "helper", "hi", "--format", "json", home=root)
    told = report(done)
    assert (done.code, told["outcome"], told["text"], told["tools"]) == (2, "budget", "Dear", [])
    assert told["cost"] > 0.01
    assert done.err.startswith("headgate: budget: the answer cost $")


async def test_turns(tmp_path: Path) -> None:
    """Used-up turns are exit code 3."""
    done = await headgate("run", "strict", "endless", home=tree(tmp_path))
    assert (done.code, done.out) == (3, "")
    assert done.err == "headgate: max_turns: the answer was not there after 1 turn\n"


async def test_profile(tmp_path: Path) -> None:
    """`--profile` makes the agent stricter."""
    done = await headgate("run", "helper", "endless", "--profile", "Brief", home=tree(tmp_path))
    assert done.code == 3


async def test_timeout(tmp_path: Path) -> None:
    """A run that outlasts `--timeout` is ended with exit code 124."""
    done = await headgate("run", "helper", "slow", "--timeout", "100ms", "--format", "json", home=tree(tmp_path))
    told = report(done)
    assert (done.code, told["outcome"], told["error"]["code"]) == (124, "timeout", "timeout")


async def test_timeout_of_the_agent(tmp_path: Path) -> None:
    """The agent's own time limit is exit code 124 as well."""
    done = await headgate("run", "helper", "slow", home=tree(tmp_path, timeout="100ms"))
    assert (done.code, done.err.split(": ")[1]) == (124, "run_timeout")


async def test_interrupt(tmp_path: Path) -> None:
    """Ctrl-C ends the run, which is told, and the command with exit code 130."""
    async with console("run", "helper", "begun", home=tree(tmp_path)) as shown:
        await shown.see('"exact":"2"')
        shown.type("\x03")
        await shown.see("cancelled: interrupted")
        assert await shown.end() == 130


async def test_progress(tmp_path: Path) -> None:
    """On a terminal the calls are shown while the answer is awaited, and the answer once."""
    async with console("run", "helper", "compute it", home=tree(tmp_path)) as shown:
        await shown.see('● calculate(expression="1+2") → {')
        await shown.see("It is 3.")
        assert await shown.end() == 0
    assert "Let me compute" not in shown.text
    assert shown.text.count("It is 3.") == 1


async def test_input(tmp_path: Path) -> None:
    """`--input` gives an agent its input, from a file too."""
    root = tree(tmp_path)
    (root / "ticket.json").write_text('{"ticket": "T-1"}', encoding="utf-8")
    given = await headgate("run", "typed", "hi", "--input", '{"ticket": "T-1"}', home=root)
    read = await headgate("run", "typed", "hi", "--input", "@ticket.json", home=root)
    assert (given.code, read.code) == (0, 0)


async def test_missing_input(tmp_path: Path) -> None:
    """An input that does not fit is an error that names the place."""
    done = await headgate("run", "typed", "hi", home=tree(tmp_path))
    assert done.code == 1
    assert "'ticket'" in done.err


async def test_unknown_agent(tmp_path: Path) -> None:
    """An agent that is not there is refused with the nearest name, in the report too."""
    done = await headgate("run", "helpr", "hi", "--format", "json", home=tree(tmp_path))
    told = report(done)
    assert (done.code, told["run"], told["outcome"]) == (1, None, "error")
    assert told["error"] == {"code": "agent_not_found", "message": "there is no agent 'helpr'; did you mean helper?"}


async def test_broken_tree(tmp_path: Path) -> None:
    """A tree with errors is exit code 1 with its findings."""
    root = tree(tmp_path)
    (root / "agents" / "helper.md").write_text("---\nmodle: x\n---\nHi\n", encoding="utf-8")
    done = await headgate("run", "helper", "hi", home=root)
    assert done.code == 1
    assert "agents/helper.md:2:1" in done.err


async def test_key(tmp_path: Path) -> None:
    """`--key` acts as a key of the tree, which may see less than the operator of the machine."""
    root = tree(tmp_path, '[auth.keys.narrow]\nkey = "${env:NARROW:-a-narrow-key}"\nagents = ["strict"]\n')
    refused = await headgate("run", "helper", "hi", "--key", "narrow", home=root)
    allowed = await headgate("run", "strict", "hi", "--key", "narrow", home=root)
    assert (refused.code, allowed.code, allowed.out) == (1, 0, "Hello.\n")
    assert refused.err == "headgate: there is no agent 'helper'; there are: strict\n"


async def test_unknown_key(tmp_path: Path) -> None:
    """A key that the tree does not have is refused with those that it has."""
    done = await headgate("run", "helper", "hi", "--key", "nobody", home=tree(tmp_path))
    assert (done.code, done.err) == (1, "headgate: [auth.keys] has no key 'nobody'; there are: tester\n")


async def test_no_tree(tmp_path: Path) -> None:
    """A folder that is not there is refused, and not made."""
    done = await headgate("run", "helper", "hi", "--tree", "nowhere", home=tmp_path)
    assert (done.code, (tmp_path / "nowhere").exists()) == (1, False)
    assert "name the tree with --tree" in done.err


async def test_wide_tree(tmp_path: Path) -> None:
    """A tree that would be served to a network is not, so the address that it names does not matter."""
    root = tree(tmp_path, '[server]\nhost = "0.0.0.0"\n')
    assert (await headgate("run", "helper", "hi", home=root)).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("hi", "--url", "http://127.0.0.1:1", "--tree", "."), "--url talks to a server"),
        (("hi", "--url", "127.0.0.1:1"), "write http://HOST:PORT"),
        (("hi", "--url", "http://me:secret@127.0.0.1:1"), "must not hold credentials"),
        (("hi", "--api-key-env", "KEY"), "--api-key-env belongs to --url"),
        (("hi", "--timeout", "soon"), "is not a duration"),
        (("hi", "--input", "[1]"), "must be a JSON object"),
        (("hi", "--input", "{"), "it is not JSON"),
        (("hi", "--input", "@nothing.json"), "cannot be read"),
        ((" ",), "the task is empty"),
    ],
)
async def test_usage(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """A wrong command line is exit code 64, and says how to write it."""
    done = await headgate("run", "helper", *words, home=tmp_path)
    assert done.code == 64
    assert said in done.err


async def test_interrupted_before_the_answer(tmp_path: Path) -> None:
    """An interrupt that reaches a run behind pipes is exit code 130."""
    async with AnthropicApi(turn(text("late")).stalled(0)) as api:
        arrived = asyncio.Event()
        waiting = asyncio.create_task(_tell(api, arrived))
        done = await headgate("run", "helper", "hi", home=tree(tmp_path, provider=anthropic(api)), until=arrived)
        await waiting
    assert (done.code, done.out, done.err) == (130, "", "headgate: cancelled: interrupted\n")


async def _tell(api: AnthropicApi, arrived: asyncio.Event) -> None:
    await api.arrived()
    arrived.set()
