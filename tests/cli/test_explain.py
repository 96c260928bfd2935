"""`headgate explain` as a command: for people and for machines."""

from __future__ import annotations

import json
from pathlib import Path

from headgate.testing.harness import agent_md, gateway_toml, write_tree
from tests.cli.test_validate import PROVIDER, run


def tree(root: Path, **keys: object) -> str:
    """A tree with one agent."""
    write_tree(root, {"gateway.toml": gateway_toml(provider=PROVIDER), "agents/helper.md": agent_md(**keys)})
    return str(root)


def test_a_key(tmp_path: Path) -> None:
    """One line with the value, and one line each for what is known of it."""
    done = run("explain", "agents.helper.max_turns", "--tree", tree(tmp_path, max_turns=3))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "agents.helper.max_turns = 3\n"
        "  from     agents/helper.md:3:1\n"
        "  meaning  Model turns of one run.\n"
        "  default  20\n"
        "  layer    agent (agents/helper.md:3:1): max_turns 3\n"
        "  reload   hot: an edit takes effect with the next revision\n"
    )


def test_a_long_meaning(tmp_path: Path) -> None:
    """A description of several lines is one line here, like every other row."""
    root = tree(tmp_path)
    write_tree(tmp_path, {"tools/ping.yaml": "kind: command\ndescription: Pings.\nargv: [ping]\n"})
    rows = run("explain", "tools.ping.env", "--tree", root).stdout.splitlines()
    assert [row[:10].strip() for row in rows] == ["tools.ping", "from", "meaning", "reload"]
    assert rows[2].endswith("LANGUAGE, LC_*, TZ and TMPDIR, and nothing else.")


def test_a_key_for_machines(tmp_path: Path) -> None:
    """The JSON form has every member, whatever the key."""
    done = run("explain", "server.port", "--tree", tree(tmp_path), "--format", "json")
    assert json.loads(done.stdout) == {
        "path": "server.port", "value": 8000, "origin": "default", "place": None, "written": None, "default": 8000,
        "description": "The TCP port; 0 picks a free one.", "reload": "restart", "notes": [],
        "contributions": [],
    }  # fmt: skip


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    """What was probably meant is named, and the exit code is 1."""
    done = run("explain", "agents.helpr.tools", "--tree", tree(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "headgate: no agent is called 'helpr'; did you mean agents.helper?\n"


def test_a_tree_with_errors(tmp_path: Path) -> None:
    """It is explained as far as it can be read."""
    done = run("explain", "agents.helper.timeout", "--tree", tree(tmp_path, max_turn=3, timeout="5m"))
    assert (done.returncode, done.stdout.partition("\n")[0]) == (0, 'agents.helper.timeout = "5m"')
    assert done.stderr == "the tree has errors; see headgate validate\n"


def test_the_environment_can_be_left_out(tmp_path: Path) -> None:
    """What is written is shown either way, what it stands for never."""
    where = tree(tmp_path, display_name="${env:HELPER}")
    for options, environ in (((), {"HELPER": "Ada-the-helper"}), (("--no-environment",), {})):
        done = run("explain", "agents.helper.display_name", "--tree", where, *options, environ=environ)
        assert (done.stderr, "written  ${env:HELPER}" in done.stdout, "Ada" in done.stdout) == ("", True, False)


def test_a_code() -> None:
    """Its meaning, how to mend it, and an example."""
    done = run("explain", "hg1003")
    assert done.returncode == 0
    assert done.stdout.startswith("HG1003: A key is not known here.\nCorrect the spelling.")
    assert "Example, in tools/ping.yaml:\n\n  kind: http\n" in done.stdout
    body = json.loads(run("explain", "HG1003", "--format", "json").stdout)
    assert (list(body), list(body["example"])) == (["code", "meaning", "mend", "example"], ["tools/ping.yaml"])


def test_a_code_that_there_is_not() -> None:
    """Nothing is made up."""
    done = run("explain", "HG9999")
    assert (done.returncode, done.stderr) == (1, "headgate: there is no code HG9999; see docs/diagnostics.md\n")
