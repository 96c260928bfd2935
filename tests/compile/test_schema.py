"""The committed schemas: fresh, complete, and of one mind with the compiler when others apply them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from headgate.compile.schema import render, schemas
from headgate.kinds import DEFAULT_KINDS
from headgate.manifest.parsers import parse
from headgate.manifest.tree import role
from tests.manifests.golden import FOLDER, KINDS, SMALLEST, Case, cases

ROOT = FOLDER.parent.parent
COMMITTED = {
    what: json.loads((ROOT / "schemas" / f"{what}.schema.json").read_text())
    for what in ("gateway", "layer", "agent", "tool")
}
PLAIN = {what: Draft202012Validator(each) for what, each in COMMITTED.items()}
TREES = (ROOT, FOLDER / "sample")
_STRUCTURAL = ("must be ", "is not valid;", " than ", "is too", "is empty", "has no value")


def _bodies(case: Case) -> Iterator[tuple[str, str, Any]]:
    for path, text in case.files.items():
        what, _ = role(path)
        document, _ = parse(path, text.encode())
        if what in PLAIN and document is not None:
            yield path, what, document.body


def _is_structural(line: str) -> bool:
    code, message = line.partition("error[")[2].partition("] ")[::2]
    if code in ("HG1003", "HG1011") or (code == "HG1007" and message.startswith("key ")):
        return True
    if code == "HG1005":
        return ": there " not in message
    return code == "HG1004" and any(word in message for word in _STRUCTURAL)


def _properties(node: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a schema that an author may write, with its path; conditions of if/then are none."""
    if not isinstance(node, dict):
        return
    for name, each in node.get("properties", {}).items():
        yield f"{at}/{name}", each
        yield from _properties(each, f"{at}/{name}")
    for name, each in node.get("$defs", {}).items():
        yield from _properties(each, name)
    for key in ("items", "additionalProperties", "then"):
        yield from _properties(node.get(key), at)
    for key in ("anyOf", "allOf"):
        for each in node.get(key, ()):
            yield from _properties(each, at)


def test_the_committed_schemas_are_fresh() -> None:
    """`make schemas` has nothing to write."""
    for name, schema in schemas(DEFAULT_KINDS).items():
        assert (ROOT / "schemas" / name).read_text(encoding="utf-8") == render(schema), name


@pytest.mark.parametrize("what", PLAIN)
def test_a_schema_is_a_valid_schema(what: str) -> None:
    """The metaschema of draft 2020-12 accepts it."""
    Draft202012Validator.check_schema(COMMITTED[what])


@pytest.mark.parametrize("what", PLAIN)
def test_every_key_is_described(what: str) -> None:
    """Editors show a sentence for each key, and what an edit of it costs."""
    for path, each in _properties(COMMITTED[what]):
        assert each.get("description"), path
        assert each.get("x-reload") in ("hot", "subsystem", "restart"), path


def test_the_cost_of_an_edit_is_that_of_its_table() -> None:
    """Keys of the server and the store need a restart, the egress list opens a subsystem anew, the rest is hot."""
    found = {path: each["x-reload"] for path, each in _properties(COMMITTED["gateway"])}
    assert {found[path] for path in ("/server", "Server/port", "Cors/origins", "Store/url")} == {"restart"}
    assert found["Auth/session_secret"] == "restart"
    assert (found["EgressRules/allow"], found["/functions"]) == ("subsystem", "subsystem")
    assert (found["Auth/keys"], found["Limits/turns"], found["provider-scripted/script"]) == ("hot", "hot", "hot")


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_plain_validator_comes_to_the_same_verdict(case: Case) -> None:
    """A file with a structural finding is rejected by the committed schema, without anything of the compiler."""
    blamed = {line.partition(":")[0] for line in case.expected.splitlines() if _is_structural(line)}
    for path, what, body in _bodies(case):
        if path in blamed:
            assert not PLAIN[what].is_valid(body), path


def test_a_plain_validator_accepts_what_is_in_order() -> None:
    """A file without any error is accepted by the committed schema."""
    accepted = 0
    for case in [*cases(), Case("smallest", dict(SMALLEST))]:
        for path, what, body in _bodies(case):
            if f"{path}:" not in case.expected:
                accepted += 1
                assert PLAIN[what].is_valid(body), (case.name, path)
    assert accepted > 50


@pytest.mark.parametrize("root", TREES, ids=["reference", "sample"])
def test_the_trees_of_the_repository_are_accepted(root: Path) -> None:
    """The reference deployment and the sample that uses every key are valid to a plain validator."""
    files = [root / "gateway.toml", *sorted(root.glob("tools/*.yaml")), *sorted(root.glob("agents/**/*.md"))]
    for file in files:
        path = file.relative_to(root).as_posix()
        document, findings = parse(path, file.read_bytes())
        assert document is not None
        assert [findings, *PLAIN[role(path)[0]].iter_errors(document.body)] == [[]], path


@pytest.mark.parametrize("root", TREES, ids=["reference", "sample"])
def test_check_jsonschema_accepts_the_trees(root: Path, tmp_path: Path) -> None:
    """A validator that CI may use accepts TOML, YAML and frontmatter as they are written."""
    fronts = []
    for file in root.glob("agents/**/*.md"):
        fronts.append(tmp_path / f"{file.stem}.yaml")
        fronts[-1].write_text(file.read_text(encoding="utf-8").split("---\n")[1], encoding="utf-8")
    files = {"gateway": [root / "gateway.toml"], "tool": sorted(root.glob("tools/*.yaml")), "agent": fronts}
    for what, paths in files.items():
        schema = ROOT / "schemas" / f"{what}.schema.json"
        done = _check_jsonschema("--schemafile", str(schema), *map(str, paths))
        assert done.returncode == 0, done.stdout


def test_check_jsonschema_rejects_an_unknown_key(tmp_path: Path) -> None:
    """The same validator blames a misspelt key."""
    file = tmp_path / "gateway.toml"
    file.write_text(SMALLEST["gateway.toml"] + "[servr]\n")
    done = _check_jsonschema("--schemafile", str(ROOT / "schemas/gateway.schema.json"), str(file))
    assert done.returncode == 1
    assert "servr" in done.stdout


def _check_jsonschema(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def _used(schema: dict[str, Any], body: Any, root: dict[str, Any], at: str = "") -> Iterator[str]:
    """The properties of the schema that `body` has, by the paths of `_properties`."""
    link = schema.get("$ref", "").removeprefix("#/$defs/")
    if link:
        yield from _used(root["$defs"][link], body, root, link)
    for each in schema.get("allOf", ()):
        condition = Draft202012Validator({**each.get("if", {}), "$defs": root["$defs"]})
        if condition.is_valid(body):
            yield from _used(each.get("then", each), body, root, at)
    for each in schema.get("anyOf", ()):
        yield from _used(each, body, root, at)
    if isinstance(body, dict):
        for name, value in body.items():
            known = schema.get("properties", {}).get(name)
            if known is not None:
                yield f"{at}/{name}"
            inner = known if known is not None else schema.get("additionalProperties")
            if isinstance(inner, dict):
                yield from _used(inner, value, root, f"{at}/{name}" if known is not None else at)
    for value in body if isinstance(body, list) and isinstance(schema.get("items"), dict) else ():
        yield from _used(schema["items"], value, root, at)


def test_the_sample_uses_every_key() -> None:
    """The sample stays complete: a new key of these kinds must be added to it."""
    for name, schema in schemas(KINDS).items():
        what = name.partition(".")[0]
        pattern = {
            "gateway": "gateway.toml", "layer": "gateway.d/*.toml", "agent": "agents/**/*.md", "tool": "tools/*.yaml",
        }[what]  # fmt: skip
        used: set[str] = set()
        files = [*(FOLDER / "sample").glob(pattern)]
        files += [FOLDER / "sample/gateway.toml"] if what == "layer" else []  # all that it may hold besides
        for file in files:
            document, _ = parse(file.name, file.read_bytes())
            used |= set(_used(schema, document.body if document else {}, schema))
        assert {path for path, _ in _properties(schema)} - used == set(), what
