"""`headgate schema` as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_validate import run

NAMES = ("gateway", "layer", "agent", "tool")


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_printed(name: str) -> None:
    """The schema named is on standard output, and nothing else is."""
    done = run("schema", name)
    assert done.returncode == 0
    assert json.loads(done.stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_schemas_are_written_once(tmp_path: Path) -> None:
    """Writing names what it changed; a second time there is nothing to change."""
    folder = tmp_path / "new" / "schemas"
    first, second = run("schema", "--write", str(folder)), run("schema", "--write", str(folder))
    assert first.stdout == "".join(f"wrote {folder / name}.schema.json\n" for name in NAMES)
    assert (second.returncode, second.stdout) == (0, "nothing changed\n")


def test_stale_schemas_exit_with_1(tmp_path: Path) -> None:
    """A schema that differs or is missing is named, with what to do about it."""
    run("schema", "--write", str(tmp_path))
    assert (run("schema", "--check", str(tmp_path)).returncode, run("schema", "--check").returncode) == (0, 0)
    (tmp_path / "agent.schema.json").write_text("{}")
    (tmp_path / "tool.schema.json").unlink()
    done = run("schema", "--check", str(tmp_path))
    assert done.returncode == 1
    stale = [line.split(" is stale; ")[0] for line in done.stdout.splitlines()]
    assert stale == [str(tmp_path / "agent.schema.json"), str(tmp_path / "tool.schema.json")]


def test_the_json_form(tmp_path: Path) -> None:
    """Machines get the paths alone; a schema is JSON anyway."""
    paths = [str(tmp_path / f"{name}.schema.json") for name in NAMES]
    first, second = (run("schema", "--write", str(tmp_path), "--format", "json") for _ in range(2))
    assert (json.loads(first.stdout), json.loads(second.stdout)) == ({"written": paths}, {"written": []})
    Path(paths[0]).unlink()
    done = run("schema", "--check", str(tmp_path), "--format", "json")
    assert (done.returncode, json.loads(done.stdout)) == (1, {"stale": paths[:1]})


@pytest.mark.parametrize("args", [(), ("gatway",), ("agent", "--check"), ("--write", "a", "--check", "b")])
def test_wrong_usage_exits_with_64(args: tuple[str, ...], tmp_path: Path) -> None:
    """Exactly one thing is asked at a time."""
    done = run("schema", *args)
    assert done.returncode == 64
    assert "Error" in done.stderr
