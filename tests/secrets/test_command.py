"""Secrets that programs print: arguments, environment, limits, and nothing left running."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from headgate.core.kind import Scope
from headgate.secrets.command import KIND
from headgate.secrets.content import MAX_BYTES
from headgate.testing.secret_kit import check_failure, check_rotation, check_value, opened
from tests.processes import alive, children
from tests.waiting import until

ENVIRON = {"PATH": os.environ["PATH"], "TOKEN": "hush-token", "OTHER": "hush-other"}


def python(code: str, *args: str, **more: Any) -> dict[str, Any]:
    """The table of a back-end that runs some Python."""
    return {"argv": [sys.executable, "-I", "-c", code, *args], **more}


async def test_the_path_is_one_argument() -> None:
    """Whatever the path holds, it stays one item, and no shell reads it."""
    body = python("import sys; print('hush:' + sys.argv[1])", "op://{{ path }}")
    async with opened(KIND, body, ENVIRON) as backend:
        await check_value(backend, "a b/$(id);'", None, "hush:op://a b/$(id);'")


async def test_json_has_members() -> None:
    """With `parse = "json"` the key names a member."""
    body = python('print(\'{"user": "u", "password": "pass-hush"}\')', parse="json")
    async with opened(KIND, body, ENVIRON) as backend:
        await check_value(backend, "db", "password", "pass-hush")
        await check_failure(backend, "db", None, "secret_not_found", "pass-hush")


async def test_the_environment_is_an_allow_list() -> None:
    """A program sees the variables that are named, and PATH; nothing else of the gateway's."""
    code = "import os; print(sorted(set(os.environ) - {'LC_CTYPE', 'PWD', '__CF_USER_TEXT_ENCODING'}))"
    async with opened(KIND, python(code, env=["TOKEN", "ABSENT"]), ENVIRON) as backend:
        assert (await backend.read("x", None)).value == "['PATH', 'TOKEN']"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (python("print('hush'); raise SystemExit(3)"), "secret_unavailable"),
        (python("import sys; print('hush', file=sys.stderr); raise SystemExit(1)"), "secret_unavailable"),
        (python(f"print('hush' * {MAX_BYTES})"), "secret_unavailable"),
        (python("import sys; sys.stdout.buffer.write(b'hush' + bytes([255]))"), "secret_unavailable"),
        (python("print('[\"hush\"]')", parse="json"), "secret_unavailable"),
        (python("pass"), "secret_not_found"),
        ({"argv": ["/nowhere/hg-program"]}, "secret_unavailable"),
        ({"argv": [sys.executable], "cwd": "/nowhere"}, "secret_unavailable"),
    ],
)
async def test_failures_are_told_without_the_secret(body: dict[str, Any], code: str) -> None:
    """A bad end, too much output, no text, no JSON, nothing at all, and a program that is not there."""
    async with opened(KIND, body, ENVIRON) as backend:
        await check_failure(backend, "x", None, code, "hush")


async def test_a_path_that_would_be_an_option_is_denied() -> None:
    """The reference cannot turn on a flag of the program."""
    async with opened(KIND, python("print('hush')", "{{ path }}"), ENVIRON) as backend:
        await check_failure(backend, "--reveal", None, "secret_denied", "hush")


CHILD = """
import subprocess, sys, pathlib, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(600)
"""


def written(path: Path) -> bool:
    """Whether the program has got as far as to write the number."""
    return path.exists() and path.read_text() != ""


async def test_a_program_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    """At the timeout the whole process group ends."""
    body = python(CHILD, str(tmp_path / "pid"), timeout="3s")
    async with opened(KIND, body, ENVIRON) as backend:
        failure = await check_failure(backend, "x", None, "secret_unavailable")
    assert failure.retryable
    if written(tmp_path / "pid"):  # unless the machine is so slow that it was killed before
        await until(lambda: not alive(int((tmp_path / "pid").read_text())))


@pytest.mark.parametrize("started", [True, False])
async def test_a_cancelled_read_leaves_nothing_running(started: bool, tmp_path: Path) -> None:
    """Cancelling kills the process group too, also while the gateway is still about to start it."""
    before = children()
    async with opened(KIND, python(CHILD, str(tmp_path / "pid"), timeout="5m"), ENVIRON) as backend:
        read = asyncio.create_task(backend.read("x", None))
        if started:
            await until(lambda: written(tmp_path / "pid"))
        else:
            while children() <= before:  # noqa: ASYNC110 -- the turn of the loop in which it begins
                await asyncio.sleep(0)
            while not written(tmp_path / "pid"):  # the loop stands still meanwhile
                time.sleep(0.01)  # noqa: ASYNC251
        read.cancel()
        with pytest.raises(asyncio.CancelledError):
            await read
        pid = int((tmp_path / "pid").read_text())
        await until(lambda: not alive(pid))


async def test_a_rotation_is_seen_when_nothing_is_kept(tmp_path: Path) -> None:
    """Without a time to keep it, the program is run for each read."""
    (tmp_path / "token").write_text("old")
    body = python("import sys; print(open(sys.argv[1]).read())", str(tmp_path / "token"), ttl="0s")
    async with opened(KIND, body, ENVIRON) as backend:
        await check_rotation(backend, "x", None, lambda: (tmp_path / "token").write_text("new"))


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"argv": ["{{ path }}"]}, ("argv", 0)),
        ({"argv": ["op", "{{ key }}"]}, ("argv", 1)),
        ({"argv": ["op"], "cwd": "here"}, ("cwd",)),
    ],
)
def test_bad_tables_have_findings(body: dict[str, Any], key: tuple[str | int, ...]) -> None:
    """A program chosen by the path, unknown templates and a relative directory."""
    spec = KIND.spec.model_validate({"kind": "command", **body})
    assert [each.key for each in KIND.check(spec, Scope("s"))] == [key]


@pytest.mark.parametrize("body", [{"argv": []}, {"argv": ["x"], "env": ["A=B"]}, {"argv": ["x"], "timeout": "0s"}])
def test_bad_values_are_refused(body: dict[str, Any]) -> None:
    """No program, no variable name, no time."""
    with pytest.raises(ValidationError):
        KIND.spec.model_validate({"kind": "command", **body})
