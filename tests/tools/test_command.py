"""Tools of kind `command`: what the program is given, and what becomes of what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headgate.core.errors import ConfigError
from headgate.core.messages import Text
from headgate.core.ports import Annotations
from headgate.testing.tool_kit import Listener, check_definition, check_failure, check_result
from tests.tools.programs import command, python

ECHO = "import json, sys; print(json.dumps(sys.argv[1:]))"
PRINT = "import sys; sys.stdout.write(sys.argv[1])"
WRITE = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
ENVIRON = "import json, os; print(json.dumps(dict(os.environ)))"


async def test_the_definition_and_its_defaults() -> None:
    """A program may do anything unless its manifest says otherwise, and has half a minute."""
    async with command(["true"]) as plain, command(["true"], timeout="2s", annotations={"read_only": True}) as stated:
        check_definition(plain, "sample")
        assert (plain.definition.kind, plain.definition.annotations, plain.timeout) == ("command", Annotations(), 30.0)
        assert stated.definition.annotations == Annotations(read_only=True, destructive=False)
        assert stated.timeout == 2.0


@pytest.mark.parametrize(
    "value",
    ["a b", "-rf /", "a\nb", "$(id) `id` ; id | id > x * ~ \"'\\", "ä€😀", "", ["a", 1], {"a": None}, 1.5, True],
)
async def test_a_value_stays_one_argument(value: Any) -> None:
    """Whatever is in a value, the program gets it as one argument; what is no text is passed as JSON."""
    async with command(python(ECHO, "{{ args.v }}", "x={{ args.v }}"), parse="json") as echo:
        result = await check_result(echo, {"v": value})
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    assert result.structured == [text, f"x={text}"]


@pytest.mark.parametrize("args", [{}, {"v": None}])
async def test_an_absent_argument_leaves_its_item_out(args: dict[str, Any]) -> None:
    """An item is left out when an argument in it is absent or null; numbers in the manifest are texts."""
    async with command(python(ECHO, 5, "{{ args.v }}", "--v={{ args.v }}", True), parse="json") as echo:
        assert (await check_result(echo, args)).structured == ["5", "true"]


@pytest.mark.parametrize(
    "keys", [{"argv": python(ECHO, "{{ args.v }}")}, {"argv": ["true"], "env": {"V": "{{ args.v }}"}}]
)
async def test_nul_characters_are_refused(keys: dict[str, Any]) -> None:
    """No program can be given text with a NUL character in it."""
    async with command(**keys) as echo:
        assert (await check_failure(echo, {"v": "a\0b"})).code == "invalid_arguments"


async def test_half_characters_are_replaced() -> None:
    """A lone surrogate, which no encoding has, does not fail the call."""
    async with command(python(ECHO, "{{ args.v }}"), parse="json") as echo:
        assert (await check_result(echo, {"v": "a\ud800"})).structured == ["a?"]


async def test_arguments_that_are_too_long() -> None:
    """More than the system lets a program have is an error of the arguments."""
    async with command(python(ECHO, "{{ args.v }}")) as echo:
        assert (await check_failure(echo, {"v": "x" * (1 << 22)})).code == "invalid_arguments"


@pytest.mark.parametrize(
    ("stdin", "args", "text"),
    [
        (None, {}, None),
        ("{{ args.v }}", {}, None),
        ("Hello {{ args.v }}\n", {"v": "Ada"}, "Hello Ada\n"),
        ({"q": "{{ args.v }}", "gone": "{{ args.w }}"}, {"v": [1]}, '{"q":[1]}'),
        ("{{ args.v }}", {"v": "x" * 1_000_000}, "x" * 1_000_000),
    ],
    ids=["none", "absent", "text", "json", "long"],
)
async def test_standard_input(stdin: Any, args: dict[str, Any], text: str | None) -> None:
    """The program reads the text or the JSON, to its end; without `stdin` there is nothing to read."""
    async with command(python(WRITE), stdin=stdin, max_output="2MiB") as cat:
        assert (await check_result(cat, args)).payload == text


async def test_input_that_is_not_read() -> None:
    """A program may end without reading what it is given."""
    async with command(["true"], stdin="{{ args.v }}") as deaf:
        assert (await check_result(deaf, {"v": "x" * 1_000_000})).payload is None


async def test_the_environment_is_made_from_an_allow_list() -> None:
    """The program has a few harmless variables, those that are inherited by name, and its own; nothing else."""
    gateway = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "API_KEY": "k", "SHOWN": "s", "LD_DEBUG": ""}
    env = {"CITY": "{{ args.city }}", "GONE": "{{ args.gone }}", "PORT": 80}
    async with command(python(ENVIRON), environ=gateway, env=env, inherit=["SHOWN", "UNSET"], parse="json") as show:
        seen = (await check_result(show, {"city": "Ulm"})).structured
    expected = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "SHOWN": "s", "CITY": "Ulm", "PORT": "80"}
    assert {name: value for name, value in seen.items() if name != "LC_CTYPE"} == expected


def test_the_process_environment_does_not_leak() -> None:
    """A secret in the environment of the gateway's own process does not reach the program."""
    code = (
        "import asyncio, os\n"
        "from headgate.testing.tool_kit import Listener\n"
        "from tests.tools.programs import command, python\n"
        "async def main():\n"
        f"    async with command(python({ENVIRON!r})) as show:\n"
        "        print((await show.call({}, Listener().context(60))).payload)\n"
        "asyncio.run(main())\n"
    )
    path = os.pathsep.join([str(Path(__file__).parent.parent.parent), *sys.path])
    environ = {**os.environ, "PYTHONPATH": path, "ANTHROPIC_API_KEY": "hunter2-hunter2"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert "PATH" in json.loads(done.stdout)
    assert "hunter2" not in done.stdout
    assert "PYTHONPATH" not in json.loads(done.stdout)


async def test_the_directory(tmp_path: Path) -> None:
    """`cwd` is where the program runs; unstated it is where the gateway runs."""
    code = "import os; print(os.getcwd(), end='')"
    async with command(python(code)) as here, command(python(code), cwd=str(tmp_path)) as there:
        assert (await check_result(here, {})).payload == str(Path.cwd().resolve())
        assert (await check_result(there, {})).payload == str(tmp_path)


@pytest.mark.parametrize(
    ("body", "key", "message"),
    [
        ({"argv": ["no-such-program"]}, ("argv", 0), "there is no program 'no-such-program' on PATH"),
        ({"argv": ["./no-such-program"]}, ("argv", 0), "does not exist"),
        ({"argv": [__file__]}, ("argv", 0), "cannot be executed"),
        ({"argv": ["true"], "cwd": "no/such/place"}, ("cwd",), "is no directory"),
        ({"argv": ["true"], "cwd": "../x"}, ("cwd",), "stays inside"),
    ],
)
async def test_what_cannot_be_opened(body: dict[str, Any], key: tuple[str | int, ...], message: str) -> None:
    """A program or directory that is not there is a `ConfigError` at its key when the tool is opened."""
    with pytest.raises(ConfigError, match=message) as caught:
        async with command(**body):
            pass
    assert (caught.value.key, bool(caught.value.hint)) == (key, True)


async def test_the_program_is_looked_for_on_the_path_it_is_given(tmp_path: Path) -> None:
    """The PATH under `env` wins over that of the gateway, and the hint tells where was looked."""
    program = tmp_path / "hello"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    async with command(["hello"], env={"PATH": str(tmp_path)}) as hello:
        assert (await check_result(hello, {})).payload == "hello\n"
    with pytest.raises(ConfigError) as caught:
        async with command(["hello"], environ={"PATH": "/nowhere"}):
            pass
    assert caught.value.hint == "install it, or write its path; looked in /nowhere"


async def test_a_program_that_vanishes(tmp_path: Path) -> None:
    """A program that is gone when it is called is an error with the system's reason."""
    program = tmp_path / "hello"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    async with command([str(program)]) as hello:
        program.unlink()
        failure = await check_failure(hello, {})
    assert str(failure) == "tool_error: sample could not be started: No such file or directory"


async def test_json_is_structured_and_shaped() -> None:
    """With `parse: json` the output is a JSON value, shaped by `output:`, without hidden characters and secrets."""
    printed = json.dumps({"a": [{"n": "x\u200b"}, {"n": "hunter22"}], "b": 1})
    async with command(python(PRINT, printed), parse="json", output="a[].n") as shaped:
        assert (await check_result(shaped, {})).structured == ["x", "[redacted]"]


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ('{"a": hunter22}', 'malformed: invalid character (byte 6); it begins: {"a": [redacted]}'),
        ('{"a": ', 'truncated; it begins: {"a": '),
        ("", "printed nothing instead of JSON"),
        ("x" * 300, "it begins: " + "x" * 200),
        ("[" * 100_000, "nested too deeply"),
    ],
    ids=["bad", "short", "empty", "long", "deep"],
)
async def test_json_that_is_not(printed: str, message: str) -> None:
    """What is not JSON is told with the place where it fails and its beginning."""
    async with command(python(WRITE), stdin="{{ args.v }}", parse="json") as broken:
        failure = await check_failure(broken, {"v": printed})
    assert failure.code == "invalid_result"
    assert message in failure.message
    assert len(failure.message) < 400


async def test_text_is_content() -> None:
    """Text comes as it was printed, without hidden characters and secrets; the exit status is in the meta data."""
    async with command(python(PRINT, "{{ args.v }}")) as show:
        result = await check_result(show, {"v": "a\x1b\u200bb hunter22\r\n"})
    assert (result.content, result.meta) == ((Text("ab [redacted]\r\n"),), {"exit_code": 0})


async def test_bytes_that_are_no_text() -> None:
    """Binary output becomes text with replacement characters, and text that can be encoded."""
    async with command(python("import sys; sys.stdout.buffer.write(bytes(range(256)) * 100)")) as noise:
        result = await check_result(noise, {})
    assert "�" in result.payload
    assert "\0" not in result.payload


async def test_output_is_capped() -> None:
    """Text over `max_output` is cut and says so; JSON that is cut would be another value, so it is an error."""
    async with command(["head", "-c", "5000", "/dev/zero"], max_output="1KiB") as zeros:
        assert (await check_result(zeros, {})).meta["cut"] == {"bytes": 5000, "shown": 1024}
    async with command(python("print('é' * 5000)"), max_output=11) as text:
        assert (await check_result(text, {})).payload == "ééééé\n[cut: 11 of 10001 bytes are shown]"
    async with command(python("print([1] * 5000)"), parse="json", max_output="1KiB") as big:
        assert (await check_failure(big, {})).code == "result_too_large"


async def test_an_exit_status_is_an_error() -> None:
    """The error has the status and the end of what the program said on standard error, without secrets."""
    code = "import sys; print('out'); sys.stderr.write('x' * 5000 + ' no hunter22 here\\n'); sys.exit(3)"
    async with command(python(code)) as fail:
        result = await fail.call({}, Listener().context(60))
    assert (result.status, result.error and result.error.code) == ("error", "exit_status")
    assert result.error is not None
    assert result.error.message.startswith("sample ended with exit status 3: xxx")
    assert result.error.message.endswith("x no [redacted] here")
    assert (len(result.error.message) < 1100, result.error.details) == (True, {"exit_code": 3})
    assert len(result.meta["stderr"]) == 4096


async def test_an_error_that_was_told_on_standard_output() -> None:
    """A program that says nothing on standard error is quoted from standard output."""
    async with command(python("print('no such thing'); raise SystemExit(1)")) as fail:
        assert str(await check_failure(fail, {})) == "exit_status: sample ended with exit status 1: no such thing"


async def test_a_signal_is_an_error() -> None:
    """A program that was killed is told by the name of the signal."""
    async with command(python("import os; os.kill(os.getpid(), 9)"), ok_exit=[9]) as dead:
        failure = await check_failure(dead, {})
    assert (str(failure), failure.details) == ("exit_status: sample ended with signal SIGKILL", {"signal": "SIGKILL"})


async def test_statuses_that_are_fine() -> None:
    """`ok_exit` lists the statuses that are no failure, and only those."""
    async with command(python("import sys; sys.exit(int(sys.argv[1]))", "{{ args.n }}"), ok_exit=[0, 1]) as leave:
        assert (await check_result(leave, {"n": 1})).meta == {"exit_code": 1}
        assert (await check_failure(leave, {"n": 2})).details == {"exit_code": 2}
