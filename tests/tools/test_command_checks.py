"""Findings of `command` manifests."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headgate.core.scalars import Interpolated
from tests.tools.programs import findings, spec

INPUT = {"type": "object", "properties": {"name": {"type": "string"}, "n": {}}, "required": ["n"]}


def test_a_good_manifest_has_none() -> None:
    """Templates in every place that may hold one, and values of every kind."""
    keys = {"stdin": {"a": ["{{ args.n }}"]}, "env": {"CITY": "{{ args.name }}"}, "inherit": ["USER"], "cwd": "a/b"}
    argv = ["/usr/bin/grep", "-n", 5, "--", "{{ args.name }}", "x-{{ args.n }}"]
    assert findings(argv, input=INPUT, parse="json", output="a", **keys) == []


@pytest.mark.parametrize(
    ("keys", "key", "offset"),
    [
        ({"argv": ["ls", "a {{ args.nam }}"]}, ("argv", 1), 5),
        ({"stdin": "{{ args.nam }}"}, ("stdin",), 3),
        ({"stdin": {"a": [1, "{{ args.nam }}"]}}, ("stdin", "a", 1), 3),
        ({"env": {"A": "{{ args.nam }}"}}, ("env", "A"), 3),
    ],
)
def test_unknown_paths(keys: dict[str, Any], key: tuple[str | int, ...], offset: int) -> None:
    """A path that the input does not have is found at its place, with what may have been meant."""
    (finding,) = findings(keys.pop("argv", ["ls"]), input=INPUT, **keys)
    assert (finding.key, finding.code, finding.offset) == (key, "HG1302", offset)
    assert "did you mean 'name'?" in finding.hint


def test_only_arguments_are_known() -> None:
    """Templates know nothing but the arguments."""
    (finding,) = findings(["ls", "{{ env.HOME }}"])
    assert (finding.code, finding.hint) == ("HG1302", "the arguments are under args: {{ args.name }}")


def test_references_are_no_templates() -> None:
    """What came from a `${...}` reference is data, braces and all."""
    assert findings(["ls", Interpolated("{{ x", ((0, 4),))]) == []


@pytest.mark.parametrize(
    ("argv", "keys", "key", "code"),
    [
        (["{{ args.n }}"], {}, ("argv", 0), "HG1404"),
        (["bin/{{ args.n }}", "x"], {}, ("argv", 0), "HG1404"),
        ([" "], {}, ("argv", 0), "HG1004"),
        (["ls", "a\0"], {}, ("argv", 1), "HG1004"),
        (["ls"], {"env": {"A": "a\0{{ args.n }}"}}, ("env", "A"), "HG1004"),
        (["ls"], {"env": {"A=B": "x"}}, ("env", "A=B"), "HG1004"),
        (["ls"], {"env": {"LD_PRELOAD": "{{ args.n }}"}}, ("env", "LD_PRELOAD"), "HG1404"),
        (["ls"], {"env": {"PATH": "/bin:{{ args.n }}"}}, ("env", "PATH"), "HG1404"),
        (["ls"], {"inherit": ["AWS_*"]}, ("inherit", 0), "HG1004"),
        (["ls"], {"inherit": ["A"], "env": {"A": "x"}}, ("inherit", 0), "HG1004"),
        (["ls"], {"cwd": "a/../../b"}, ("cwd",), "HG1004"),
        (["ls"], {"cwd": "{{ args.n }}"}, ("cwd",), "HG1004"),
        (["ls"], {"cwd": ""}, ("cwd",), "HG1004"),
        (["ls"], {"output": "a"}, ("output",), "HG1004"),
    ],
)
def test_what_is_refused(argv: list[Any], keys: dict[str, Any], key: tuple[str | int, ...], code: str) -> None:
    """Each is one error, at its key."""
    (finding,) = findings(argv, **keys)
    assert (finding.key, finding.code, finding.severity) == (key, code, "error")


@pytest.mark.parametrize(
    ("argv", "index"),
    [
        (["sh", "-c", "grep {{ args.q }} log"], 2),
        (["/bin/bash", "-euo", "pipefail", "-c", "{{ args.q }}"], 4),
        (["bash", "-lc", "--", "x {{ args.q }}"], 3),
        (["sh", "{{ args.q }}", "x"], 1),
        (["sh", "-{{ args.q }}"], 1),
        (["bash", "--rcfile", "{{ args.q }}"], 2),
        (["sudo", "-u", "ops", "sh", "-c", "x {{ args.q }}"], 5),
        (["fish", "--command", "x {{ args.q }}"], 2),
        (["cmd.exe", "/C", "dir", "{{ args.q }}"], 3),
        (["pwsh", "-NoProfile", "-Command", "x", "{{ args.q }}"], 4),
    ],
)
def test_templates_in_shell_commands_are_errors(argv: list[Any], index: int) -> None:
    """A template that a shell reads as command or as option is an injection."""
    (finding,) = findings(argv)
    assert (finding.key, finding.code, finding.severity) == (("argv", index), "HG1404", "error")
    assert finding.message.startswith("'args.q' is read by ")


@pytest.mark.parametrize(
    ("argv", "index"),
    [
        (["sh", "-c", 'grep "$1" log', "sh", "{{ args.q }}"], 2),
        (["pwsh", "-c", "Get-Date"], 2),
        (["python3.11", "-c", "print({{ args.q }})"], 2),
        (["env", "A=b", "perl", "-e", "{{ args.q }}"], 4),
        (["ssh", "host", "ls", "{{ args.q }}"], 3),
    ],
)
def test_what_invites_an_injection_is_a_warning(argv: list[Any], index: int) -> None:
    """A shell command without a template, code of other languages, and remote shells are warned of."""
    (finding,) = findings(argv)
    assert (finding.key, finding.code, finding.severity) == (("argv", index), "HG1404", "warning")


@pytest.mark.parametrize(
    "argv",
    [
        ["bash", "run.sh", "{{ args.q }}"],
        ["bash", "-x", "jobs/{{ args.q }}.sh"],
        ["sh", "--", "{{ args.q }}"],
        ["grep", "-c", "{{ args.q }}"],
        ["python3", "run.py", "{{ args.q }}"],
        ["sudo", "systemctl", "restart", "{{ args.q }}"],
    ],
)
def test_values_for_scripts_are_fine(argv: list[Any]) -> None:
    """Arguments of a script, and of a program that runs no code, are data."""
    assert findings(argv) == []


@pytest.mark.parametrize(
    "keys",
    [
        {"argv": []},
        {"argv": "ls -l"},
        {"argv": ["ls", ["x"]]},
        {"argv": ["ls", "{{ args.q"]},
        {"argv": ["ls"], "max_output": 0},
        {"argv": ["ls"], "ok_exit": []},
        {"argv": ["ls"], "ok_exit": [256]},
        {"argv": ["ls"], "parse": "yaml"},
        {"argv": ["ls"], "sandbox": {}},
    ],
)
def test_bad_keys_are_refused(keys: dict[str, Any]) -> None:
    """Types, limits and unknown keys are checked."""
    with pytest.raises(ValidationError) as caught:
        spec(**keys)
    assert caught.value.errors()[0]["loc"][0] == list(keys)[-1]


def test_a_shape_is_compared_with_what_the_tests_print() -> None:
    """What it names and no run that succeeds prints is a warning."""
    tests = [
        {"stdout": {"jobs": [{"id": 1}]}, "expect": []},
        {"stdout": {"jobz": 1}, "exit": 3, "error": "exit_status"},
    ]
    keys = {"parse": "json", "output": "jobz[].id", "tests": tests}
    (finding,) = findings(["jobctl"], **keys)
    assert (finding.key, finding.code, finding.hint) == (("output",), "HG1304", "did you mean 'jobs'?")
    assert findings(["jobctl"], **{**keys, "output": "jobs[].id"}) == []
