"""What is told of a program that ends: its exit code or signal, and its last words without secrets."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from headgate.mcp.spec import Mcp, ServerSpec
from tests.mcp.servers import local, opened, ready
from tests.waiting import until

SECRET = "a-secret-that-it-was-given"


def script(text: str) -> ServerSpec:
    """A program that runs this Python."""
    return Mcp().effective(ServerSpec(command=sys.executable, args=("-c", text)))


ENDS = [
    ("import sys; sys.stderr.write('loading\\n\\nno such profile\\n\\n'); sys.exit(3)",
     "the program ended with exit code 3; its last words: no such profile"),
    ("import sys; sys.stderr.write('half a line'); sys.exit(1)",
     "the program ended with exit code 1; its last words: half a line"),
    ("pass", "the program ended with exit code 0"),
    ("import os; os.kill(os.getpid(), 9)", "the program was ended by SIGKILL"),
    (f"raise SystemExit('bad key {SECRET}')", "the program ended with exit code 1; its last words: bad key [gone]"),
    ("import sys; sys.stderr.write('a\\u200bb\\x1b[31m' + 'c' * 9000 + '\\n'); sys.exit(1)",
     "the program ended with exit code 1; its last words: ab[31m" + "c" * 289 + "[...]"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), ENDS, ids=["code", "half", "silent", "signal", "secret", "long"])
async def test_a_program_that_ends_at_once(text: str, said: str) -> None:
    """The failure says with what it ended, and what it wrote to standard error last."""
    async with opened(script(text), scrub=lambda told: told.replace(SECRET, "[gone]")) as upstream:
        fault = await upstream.warm(20)
        assert fault is not None
        assert (fault.code, fault.message) == ("connection_error", said)
        health = upstream.health.error
        assert health is not None
        assert health.message == said


async def test_a_program_that_goes_on_without_output() -> None:
    """One that closes its output and stays is not waited for long."""
    async with opened(script("import os, time; os.close(1); time.sleep(60)")) as upstream:
        fault = await upstream.warm(20)
        assert fault is not None
        assert fault.message == "the program closed its output"


async def test_a_program_that_is_killed_later() -> None:
    """The status says so while it is not back."""
    async with ready(local()) as upstream:
        pid = upstream.health.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: upstream.health.restarts == 1)
        assert upstream.health.error is not None
        assert upstream.health.error.message == "the program was ended by SIGKILL"
