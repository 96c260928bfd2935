"""Questions of runs in a conversation on a terminal: what is asked, what an answer does, and what ends the run."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headgate.testing.harness import Live, live
from tests.cli.console import Console, console
from tests.cli.trees import KEYS, RUNS, WAITS, held, rows
from tests.waiting import until

ALLOW = "allow? [y]es / [n]o: "
ALWAYS = "allow? [y]es / [n]o / [a]lways in this conversation: "


@contextlib.asynccontextmanager
async def served(root: Path) -> AsyncIterator[tuple[Live, Console]]:
    """A server on the tree, and a conversation with it."""
    words = ("chat", "helper", "--url")
    async with live(root) as gateway, console(*words, gateway.url, home=root, environ=KEYS) as shown:
        yield gateway, shown


async def test_what_is_shown(tmp_path: Path) -> None:
    """The tool, the policy, the arguments under the manifest's labels and the time that is left are shown."""
    async with console("chat", "helper", home=held(tmp_path, 'timeout = "90s"')) as shown:
        asked = await shown.ask("compute", ALLOW)
    assert '? calculate needs an approval (policy sums)\n    The sum: "1+2"\n    1 min ' in asked


async def test_yes(tmp_path: Path) -> None:
    """A call that is allowed is made, though the run was parked, and the answer goes on."""
    async with console("chat", "helper", home=held(tmp_path, "")) as shown:
        await shown.ask("compute", ALLOW)
        await until(lambda: rows(tmp_path, RUNS) == [("waiting",)])
        shown.type("y\n")
        await shown.see("✓ calculate: approved by local operator\n")
        await shown.see("Computed.\n")
        await until(lambda: rows(tmp_path, RUNS) == [("completed",)])


async def test_no(tmp_path: Path) -> None:
    """A call that is denied fails with the person's reason, which the model reads."""
    async with console("chat", "helper", home=held(tmp_path, "")) as shown:
        await shown.ask("compute", ALLOW)
        shown.type("no\n")
        await shown.see("why? (the model reads it; Enter for no reason): ")
        shown.type("not today\n")
        await shown.see("user_denied: a person denied calculate: not today")
        await shown.see("Then not.\n")


async def test_always(tmp_path: Path) -> None:
    """What is always allowed is not asked again in the conversation, and is in the next one."""
    async with console("chat", "helper", home=held(tmp_path)) as shown:
        await shown.ask("compute", ALWAYS)
        shown.type("a\n")
        await shown.see("Computed.\n")
        assert "allow?" not in await shown.ask("compute", "Computed.\n")
        await shown.ask("/reset", "a new conversation\n")
        await shown.ask("compute", ALWAYS)


async def test_several(tmp_path: Path) -> None:
    """Several questions are asked one after the other."""
    async with console("chat", "helper", home=held(tmp_path, "")) as shown:
        assert '"1+2"' in await shown.ask("both", ALLOW)
        shown.type("y\n")
        assert '"2+2"' in await shown.see(ALLOW)
        shown.type("n\n")
        await shown.see("why?")
        shown.type("\n")
        results = await shown.see("Then not.\n")  # the two results come in either order
    assert '"value":3.0' in results
    assert "a person denied calculate (" in results


async def test_typed_too_early(tmp_path: Path) -> None:
    """What was typed before the question stood there does not answer it."""
    async with console("chat", "helper", home=held(tmp_path, "")) as shown:
        await shown.see("> ")
        shown.type("compute\ny\n")
        await shown.see(ALLOW)
        await until(lambda: rows(tmp_path, RUNS) == [("waiting",)])
        shown.type("n\n")
        await shown.see("why?")
        shown.type("\n")
        await shown.see("Then not.\n")


async def test_other_words(tmp_path: Path) -> None:
    """What is no answer is asked for again; a call that may not be remembered takes no `always`."""
    async with console("chat", "helper", home=held(tmp_path, "")) as shown:
        await shown.ask("compute", ALLOW)
        shown.type("a\n")
        await shown.see("answer yes or no\n")
        await shown.see(ALLOW)
        shown.type("\n")
        await shown.see("answer yes or no\n")
    assert rows(tmp_path, WAITS) == [("pending",)]


@pytest.mark.parametrize(("key", "said"), [("\x03", "interrupted"), ("\x04", "interrupted: the input has ended")])
async def test_leaving_a_question(key: str, said: str, tmp_path: Path) -> None:
    """Ctrl-C and Ctrl-D at a question cancel the run with all that it asks, and not the program."""
    async with console("chat", "helper", home=held(tmp_path, "")) as shown:
        await shown.ask("both", ALLOW)
        shown.type(key)
        await shown.see(f"cancelled: {said}\n")
        await shown.ask("/quit", "\n")
        assert await shown.end() == 0
    assert rows(tmp_path, RUNS) == [("cancelled",)]
    assert set(rows(tmp_path, WAITS)) == {("cancelled",)}


async def test_expired(tmp_path: Path) -> None:
    """A question whose time is over is taken back, and the model goes on without the call."""
    async with console("chat", "helper", home=held(tmp_path, 'timeout = "3s"')) as shown:
        await shown.ask("compute", ALLOW)
        await shown.see("no answer about calculate is needed any more\n")
        await shown.see("✗ calculate: expired\n")
        await shown.see("Nobody came.\n")


async def test_client_tool(tmp_path: Path) -> None:
    """A tool of a front end is told to be none of the command's, and the model reads that at once."""
    async with console("chat", "helper", home=held(tmp_path)) as shown:
        await shown.ask("pick", "pick_file is for a front end to execute, which this command is not")
        await shown.see("not_supported")
        await shown.see("You pick.\n")


async def test_not_an_approver(tmp_path: Path) -> None:
    """A key that the policy does not name is not asked: nobody else could answer while the command has the tree."""
    policy = 'approvers = ["boss"]\n[auth.keys.boss]\nkey = "${env:BOSS:-the-key-of-the-boss}"\n'
    async with console("chat", "helper", "--key", "tester", home=held(tmp_path, policy)) as shown:
        await shown.ask("compute", "cancelled: calculate cannot be answered here: only boss may answer\n")
        assert "allow?" not in shown.text


async def test_url(tmp_path: Path) -> None:
    """A server's questions are shown and answered in the same way, and remembered by it."""
    async with served(held(tmp_path)) as (_, shown):
        assert '? calculate needs an approval (policy sums)\n    The sum: "1+2"\n' in await shown.ask("compute", ALWAYS)
        shown.type("a\n")
        await shown.see("Computed.\n")
        assert "allow?" not in await shown.ask("compute", "Computed.\n")


async def test_url_no(tmp_path: Path) -> None:
    """The reason of a denial reaches the model of a server too."""
    async with served(held(tmp_path, "")) as (_, shown):
        await shown.ask("compute", ALLOW)
        shown.type("n\n")
        await shown.see("why?")
        shown.type("not today\n")
        await shown.see("a person denied calculate: not today")


async def test_url_leaving_a_question(tmp_path: Path) -> None:
    """Ctrl-C at a question of a server's run ends the run there as well."""
    async with served(held(tmp_path, "")) as (_, shown):
        await shown.ask("compute", ALLOW)
        shown.type("\x03")
        await shown.see("cancelled: interrupted\n")
        await shown.ask("/quit", "\n")
        await until(lambda: rows(tmp_path, RUNS) == [("cancelled",)])


async def test_url_answered_elsewhere(tmp_path: Path) -> None:
    """A question that somebody else answers meanwhile is taken back."""
    async with served(held(tmp_path, "")) as (gateway, shown):
        await shown.ask("compute", ALLOW)
        (waiting,) = (await gateway.get("/v1/approvals"))["items"]
        said = {"decision": "approve"}
        await gateway.http.post(f"/v1/approvals/{waiting['id']}", json=said, headers=dict(gateway.headers))
        await shown.see("no answer about calculate is needed any more\n")
        await shown.see("Computed.\n")


async def test_url_client_tool(tmp_path: Path) -> None:
    """A server is told that the command cannot execute the tools of a front end."""
    async with served(held(tmp_path)) as (_, shown):
        await shown.ask("pick", "You pick.\n")
