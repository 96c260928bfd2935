"""Runs that ask something when nobody is at a terminal: they end, or a standing answer is given."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from headgate.testing.harness import live
from tests.cli.console import COMMAND, console, environment, headgate, report
from tests.cli.trees import KEYS, RUNS, WAITS, held, rows
from tests.waiting import until


@pytest.mark.parametrize(
    ("words", "typed"), [(("run", "helper", "both"), ""), (("chat", "helper"), "both\n")], ids=("run", "chat")
)
async def test_cancelled(words: tuple[str, ...], typed: str, tmp_path: Path) -> None:
    """Without a person the run is cancelled with what it waits for, exit code 1, and nothing is left waiting."""
    done = await headgate(*words, home=held(tmp_path), typed=typed)
    assert (done.code, done.out) == (1, "")
    assert "cancelled: calculate waits for an approval (policy sums), and nobody is here to give it; say --appro" in (
        done.err
    )
    assert rows(tmp_path, RUNS) == [("cancelled",)]
    assert set(rows(tmp_path, WAITS)) == {("cancelled",)}


async def test_report(tmp_path: Path) -> None:
    """The report says what the run waited for."""
    told = report(await headgate("run", "helper", "compute", "--format", "json", home=held(tmp_path)))
    assert (told["outcome"], told["error"]["code"]) == ("cancelled", "cancelled")
    assert told["error"]["message"].startswith("calculate waits for an approval")


@pytest.mark.parametrize(("approve", "said"), [("all", "Computed.\n"), ("none", "Then not.\n")])
async def test_standing_answer(approve: str, said: str, tmp_path: Path) -> None:
    """`--approve` answers every approval in the same way."""
    done = await headgate("run", "helper", "compute", "--approve", approve, home=held(tmp_path))
    assert (done.code, done.out) == (0, said)


async def test_standing_answer_in_a_pipe(tmp_path: Path) -> None:
    """A conversation through a pipe takes a standing answer too."""
    done = await headgate("chat", "helper", "--approve", "all", home=held(tmp_path), typed="both\n")
    assert (done.code, done.out) == (0, "Computed.\n")


async def test_client_tool(tmp_path: Path) -> None:
    """A tool of a front end fails at once, and the run goes on."""
    done = await headgate("run", "helper", "pick", home=held(tmp_path))
    assert (done.code, done.out) == (0, "You pick.\n")


async def test_on_a_terminal(tmp_path: Path) -> None:
    """A task asks nobody, also on a terminal; what it waited for is shown."""
    async with console("run", "helper", "compute", home=held(tmp_path)) as shown:
        await shown.see("? calculate needs an approval (policy sums)")
        await shown.see("cancelled: calculate waits for an approval")
        assert await shown.end() == 1
    assert "allow?" not in shown.text


async def test_not_an_approver(tmp_path: Path) -> None:
    """A standing answer of a key that may not answer ends the run."""
    policy = 'approvers = ["boss"]\n[auth.keys.boss]\nkey = "${env:BOSS:-the-key-of-the-boss}"\n'
    words = ("run", "helper", "compute", "--approve", "all", "--key", "tester")
    done = await headgate(*words, home=held(tmp_path, policy))
    assert done.code == 1
    assert "only boss may answer this; key 'tester' may not" in done.err
    assert rows(tmp_path, RUNS) == [("cancelled",)]


async def test_url(tmp_path: Path) -> None:
    """A server's run that waits is ended there as well."""
    async with live(held(tmp_path)) as gateway:
        done = await headgate("run", "helper", "compute", "--url", gateway.url, home=tmp_path, environ=KEYS)
        await until(lambda: rows(tmp_path, RUNS) == [("cancelled",)])
    assert done.code == 1
    assert "calculate waits for an approval (policy sums)" in done.err


async def test_terminated(tmp_path: Path) -> None:
    """A signal while a question stands ends the run that asks it."""
    async with console("chat", "helper", home=held(tmp_path)) as shown:
        await shown.ask("compute", "allow? ")
        shown.signal(15)
        await shown.see("\ncancelled: interrupted\n")  # of the run: that of its call comes first
    assert rows(tmp_path, RUNS) == [("cancelled",)]


async def test_nobody_reads(tmp_path: Path) -> None:
    """Output that nobody reads any more ends the command, and with it the run that waits."""
    reader, writer = os.pipe()
    os.close(reader)
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "chat", "helper", cwd=held(tmp_path), env=environment(tmp_path),
        stdin=asyncio.subprocess.PIPE, stdout=writer, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    os.close(writer)
    _, err = await process.communicate(b"compute\ncompute\n")
    assert (process.returncode, b"Traceback" in err) == (1, False)
    assert rows(tmp_path, RUNS) == [("cancelled",)]
