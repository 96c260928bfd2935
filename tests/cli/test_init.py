"""`headgate init` as a command: what it writes is in order, and what is there stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headgate.templates import SUMMARIES, editors
from headgate.testing.harness import live
from tests.cli.test_validate import run


def written(root: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("template", SUMMARIES)
def test_a_template_is_in_order(template: str, tmp_path: Path) -> None:
    """It validates without a warning, its schemas are fresh, and its own tests pass."""
    tree = tmp_path / "my-gateway"
    done = run("init", str(tree), "--template", template)
    assert (done.returncode, done.stderr) == (0, "")
    checked = run("validate", str(tree), "--deny-warnings")
    assert (checked.returncode, checked.stdout) == (0, "")
    assert run("schema", "--check", str(tree / "schemas")).returncode == 0
    assert run("test", str(tree)).returncode == 0
    assert 'name = "my-gateway"' in (tree / "gateway.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("template", SUMMARIES)
async def test_a_template_can_be_served(template: str, tmp_path: Path) -> None:
    """Without a model provider its agent plays the demo."""
    tree = tmp_path / "tree"
    assert run("init", str(tree), "--template", template).returncode == 0
    async with live(tree, watch=False) as gateway:
        agents = gateway.gateway.snapshot.agents
        assert (len(agents), gateway.gateway.snapshot.demo) == (1, True)


def test_editors_are_wired(tmp_path: Path) -> None:
    """Comments and settings point to schemas that are there."""
    assert run("init", str(tmp_path), "--template", "operations").returncode == 0
    assert (
        (tmp_path / "gateway.toml").read_text(encoding="utf-8").startswith("#:schema ./schemas/gateway.schema.json\n")
    )
    for tool in (tmp_path / "tools").iterdir():
        first = tool.read_text(encoding="utf-8").partition("\n")[0]
        assert (tool.parent / first.partition("$schema=")[2]).is_file()
    settings = json.loads((tmp_path / ".vscode/settings.json").read_text(encoding="utf-8"))
    schemas = [*settings["yaml.schemas"], *settings["evenBetterToml.schema.associations"].values()]
    assert [each for each in schemas if not (tmp_path / each).is_file()] == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """One file that is there already is named, and then nothing is written at all."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "assistant.md").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine too")
    before = written(tmp_path)
    done = run("init", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "nothing was written, because these are there already:\n  agents/assistant.md\n"
    assert written(tmp_path) == before


def test_the_json_form(tmp_path: Path) -> None:
    """Machines get the files that were written, or those that were in the way."""
    tree = tmp_path / "tree"
    first, second = (run("init", str(tree), "--format", "json") for _ in range(2))
    told = json.loads(first.stdout)
    assert (told["folder"], set(told["written"]), told["taken"]) == (str(tree), set(written(tree)), [])
    assert json.loads(second.stdout) == {"folder": str(tree), "written": [], "taken": told["written"]}
    assert (first.returncode, second.returncode) == (0, 1)


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    """It is found before anything is written, too."""
    (tmp_path / "agents").write_text("not a folder")
    done = run("init", str(tmp_path))
    assert (done.returncode, "agents/assistant.md" in done.stderr) == (1, True)
    assert list(written(tmp_path)) == ["agents"]


def test_the_next_steps(tmp_path: Path) -> None:
    """What to type next is said, from where the author stands."""
    shown = run("init", "new", "--template", "support", cwd=tmp_path).stdout
    assert "\n  cd new\n" in shown
    assert "\n  headgate chat desk" in shown
    assert "cd " not in run("init", ".", cwd=tmp_path).stdout


def test_an_unknown_template(tmp_path: Path) -> None:
    """The templates are named."""
    done = run("init", str(tmp_path / "x"), "--template", "big")
    assert (done.returncode, "'minimal', 'operations', 'support'" in done.stderr) == (64, True)


def test_the_reference_deployment_is_wired_alike() -> None:
    """The tree of the repository has the same editor settings."""
    root = Path(__file__).resolve().parents[2]
    assert {path: (root / path).read_text(encoding="utf-8") for path in editors()} == editors()
