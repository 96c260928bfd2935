"""`headgate validate` as a command: what it prints, and how it exits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from headgate.testing.harness import agent_md, gateway_toml, write_tree

PROVIDER = 'kind = "scripted"\nturns = [{text = "Hello."}]'


def run(*args: str, environ: dict[str, str] | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `headgate` with only the given environment."""
    command = [sys.executable, "-c", "from headgate.cli import main; main()", *args]
    env = {"PATH": os.environ.get("PATH", ""), **(environ or {})}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=cwd, timeout=300)


def _tree(root: Path, **keys: object) -> str:
    write_tree(root, {"gateway.toml": gateway_toml(provider=PROVIDER), "agents/helper.md": agent_md(**keys)})
    return str(root)


def test_a_tree_in_order_exits_with_0(tmp_path: Path) -> None:
    """Nothing is printed but a summary, which is on standard error."""
    done = run("validate", _tree(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "2 files, 0 errors, 0 warnings\n")


def test_errors_exit_with_1(tmp_path: Path) -> None:
    """Each finding is a line that an editor can jump to."""
    done = run("validate", _tree(tmp_path, max_turn=3))
    assert done.returncode == 1
    assert done.stdout == "agents/helper.md:3:1: error[HG1003] unknown key 'max_turn'; did you mean 'max_turns'?\n"
    assert done.stderr == "2 files, 1 error, 0 warnings\n"


def test_warnings_alone_exit_with_0(tmp_path: Path) -> None:
    """What does not stop a swap does not fail a build."""
    done = run("validate", _tree(tmp_path, tools=["crm_*"]))
    assert done.returncode == 0
    assert done.stdout == "agents/helper.md:3:9: warning[HG1202] 'crm_*' matches no tool\n"


def test_the_json_form(tmp_path: Path) -> None:
    """Machines get the revision and every member of every finding."""
    done = run("validate", _tree(tmp_path, max_turn=3), "--format", "json")
    body = json.loads(done.stdout)
    assert (done.returncode, done.stderr, len(body["revision"])) == (1, "", 64)
    assert body["diagnostics"] == [
        {
            "path": "agents/helper.md", "line": 3, "column": 1, "severity": "error", "code": "HG1003",
            "message": "unknown key 'max_turn'", "hint": "did you mean 'max_turns'?",
        }
    ]  # fmt: skip


def test_warnings_can_be_denied(tmp_path: Path) -> None:
    """What a team does not want to see grow fails its build."""
    tree = _tree(tmp_path, tools=["crm_*"])
    assert run("validate", tree, "--deny-warnings").returncode == 1
    assert run("validate", _tree(tmp_path), "--deny-warnings").returncode == 0


def test_the_form_of_code_scanning(tmp_path: Path) -> None:
    """One SARIF run with one result, whose path begins at the working directory."""
    _tree(tmp_path / "deploy", max_turn=3)
    done = run("validate", "deploy", "--format", "sarif", cwd=tmp_path)
    (result,) = json.loads(done.stdout)["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert (done.returncode, done.stderr, result["ruleId"]) == (1, "", "HG1003")
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("deploy/agents/helper.md", 3)


def test_the_form_of_github(tmp_path: Path) -> None:
    """A finding is a workflow command, which the page of the change shows beside its line."""
    _tree(tmp_path / "deploy", max_turn=3)
    done = run("validate", str(tmp_path / "deploy"), "--format", "github", cwd=tmp_path)
    assert done.stdout == (
        "::error file=deploy/agents/helper.md,line=3,col=1,title=HG1003::"
        "unknown key 'max_turn'; did you mean 'max_turns'?\n"
    )
    assert done.stderr == "2 files, 1 error, 0 warnings\n"


def test_findings_show_no_secret(tmp_path: Path) -> None:
    """A value that came from outside is redacted, also when it is what is wrong."""
    tree = _tree(tmp_path, timeout="${env:HOW_LONG}")
    done = run("validate", tree, environ={"HOW_LONG": "hush-hush-hush"})
    assert "HG1004" in done.stdout
    assert "hush" not in done.stdout


def test_the_environment_can_be_left_out(tmp_path: Path) -> None:
    """CI has no secrets: a missing variable is an error only when the environment counts."""
    tree = _tree(tmp_path, display_name="${env:HELPER_NAME}")
    assert "HG1102" in run("validate", tree).stdout
    assert run("validate", tree, environ={"HELPER_NAME": "Ada"}).returncode == 0
    done = run("validate", tree, "--no-environment")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_tree_that_does_not_exist(tmp_path: Path) -> None:
    """A wrong path is a finding, not a traceback."""
    done = run("validate", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert done.stdout.startswith(".:1:1: error[HG1002] the tree does not exist; name a directory")


def test_wrong_usage_exits_with_64(tmp_path: Path) -> None:
    """An unknown format or option says what there is."""
    done = run("validate", str(tmp_path), "--format", "xml")
    assert done.returncode == 64
    assert "'text', 'json', 'sarif', 'github'" in done.stderr
    assert run("validate", "--no-enviroment").returncode == 64
