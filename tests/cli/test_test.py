"""`headgate test` as a command: what it prints, and how it exits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from headgate.testing.harness import agent_md, gateway_toml, write_tree
from tests.cli.test_validate import run
from tests.engine.trials import CALCULATE, FUNCTIONS, LOOKUP

PROVIDER = 'kind = "anthropic"\napi_key = "${env:ANTHROPIC_API_KEY:-none-at-all}"'
PLAN = "tests: [{name: plan, args: {name: ACME}, response: {plan_name: gold}, expect: {plan: PLAN}}]\n"


def _tree(root: Path, plan: str = "gold", text: str = "Hello.") -> str:
    greets = {"name": "greets & waves", "given": {"user": "hi"}, "script": [{"text": "Hello."}],
              "expect": {"text_equals": text}}  # fmt: skip
    files = {
        "gateway.toml": gateway_toml(FUNCTIONS, provider=PROVIDER),
        "agents/helper.md": agent_md(tests=[greets], tools=["calculate"]),
        "tools/lookup.yaml": LOOKUP + PLAN.replace("PLAN", plan),
        "tools/calculate.yaml": f"{CALCULATE}tests: [{{args: {{expression: 1/0}}, error: division_by_zero}}]\n",
    }
    return str(write_tree(root, files))


def _said(text: str) -> list[str]:
    """The lines without the times."""
    return [line.rpartition(" (")[0] if line.endswith(" ms)") else line for line in text.splitlines()]


def test_tests_that_pass(tmp_path: Path) -> None:
    """Every test has its line, agents first, and the exit code is 0."""
    done = run("test", _tree(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert _said(done.stdout) == [
        "✓ agent helper: greets & waves", "✓ tool calculate: 1", "✓ tool lookup: plan", "3 passed, 0 failed",
    ]  # fmt: skip


def test_tests_that_fail(tmp_path: Path) -> None:
    """What was expected and what came stand below each other, after the place in the manifest."""
    done = run("test", _tree(tmp_path, plan="silver"))
    assert done.returncode == 1
    assert _said(done.stdout)[2:] == [
        "✗ tool lookup: plan", "  tools/lookup.yaml:6:86: error[HG1501] the result at plan",
        '    - expected: "silver"', '    + actual:   "gold"', "2 passed, 1 failed",
    ]  # fmt: skip


def test_some_of_the_tests(tmp_path: Path) -> None:
    """`--only` takes a kind, an object or a test; one that is not there is a mistake of the caller."""
    tree = _tree(tmp_path, plan="silver")
    assert _said(run("test", tree, "--only", "agent").stdout) == [
        "✓ agent helper: greets & waves",
        "1 passed, 0 failed",
    ]
    assert run("test", tree, "--only", "tool/calculate").returncode == 0
    assert run("test", tree, "--only", "tool/lookup/plan").returncode == 1
    done = run("test", tree, "--only", "tool/lokup/plan")
    assert done.returncode == 64
    assert "no test is at 'tool/lokup/plan'; did you mean 'tool/lookup/plan'?" in done.stderr


def test_the_json_form(tmp_path: Path) -> None:
    """Machines get every test with its findings."""
    done = run("test", _tree(tmp_path, text="Bye."), "--format", "json")
    body: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, body["passed"], body["failed"], body["skipped"]) == (1, 2, 1, 0)
    first = body["tests"][0]
    assert (first["agent"], first["test"], first["state"]) == ("helper", "greets & waves", "failed")
    assert first["diagnostics"][0]["message"] == (
        'test \'greets & waves\': the last text: expected "Bye.", got "Hello."'
    )


def test_the_junit_form(tmp_path: Path) -> None:
    """CI systems get a suite an object and a case a test, on standard output or in a file."""
    report = tmp_path / "reports" / "headgate.xml"
    done = run("test", _tree(tmp_path / "tree", text="Bye."), "--junit", str(report))
    root = ElementTree.fromstring(report.read_text(encoding="utf-8"))
    assert [each.get("name") for each in root] == ["agent helper", "tool calculate", "tool lookup"]
    assert (done.returncode, root.get("tests"), root.get("failures")) == (1, "3", "1")
    case = root[0][0]
    assert (case.get("name"), case.get("file"), case[0].get("type")) == ("greets & waves", "agents/helper.md", "HG1501")
    again = run("test", str(tmp_path / "tree"), "--format", "junit")
    assert ElementTree.fromstring(again.stdout).get("failures") == "1"


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    """The caller is told so, without a traceback."""
    done = run("test", _tree(tmp_path), "--junit", str(tmp_path / "gateway.toml" / "report.xml"))
    assert done.returncode == 1
    assert done.stderr.startswith("headgate: cannot write ")


def test_a_tree_with_errors(tmp_path: Path) -> None:
    """Nothing is run before the tree is in order."""
    tree = _tree(tmp_path)
    write_tree(tmp_path, {"agents/other.md": agent_md(max_turn=1)})
    done = run("test", tree)
    assert (done.returncode, done.stderr) == (1, "no test was run: the tree has errors\n")
    assert "agents/other.md:3:1: error[HG1003]" in done.stdout


def test_the_environment_can_be_left_out(tmp_path: Path) -> None:
    """A tool that cannot be known without its environment is skipped, and said so."""
    tree = _tree(tmp_path)
    text = (tmp_path / "tools/lookup.yaml").read_text(encoding="utf-8")
    write_tree(tmp_path, {"tools/lookup.yaml": text.replace("https://127.0.0.1:1", "${env:CRM_URL}")})
    assert "HG1102" in run("test", tree).stdout
    assert run("test", tree, environ={"CRM_URL": "https://crm.example.com"}).returncode == 0
    done = run("test", tree, "--no-environment")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2 passed, 0 failed, 1 skipped")


def test_a_tree_without_tests(tmp_path: Path) -> None:
    """There is nothing to fail."""
    files = {"gateway.toml": gateway_toml(provider=PROVIDER), "agents/helper.md": agent_md()}
    done = run("test", str(write_tree(tmp_path, files)))
    assert (done.returncode, done.stdout) == (0, "0 passed, 0 failed\n")
