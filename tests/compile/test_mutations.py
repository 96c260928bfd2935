"""Whatever stands in a tree, compiling it ends with findings that lie inside the files."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.compile.compiler import Compiled, Compiler
from headgate.manifest.parsers import parse
from headgate.manifest.tree import Tree, revision_of, scan
from tests.manifests.golden import FOLDER, KINDS

SAMPLE = scan(FOLDER / "sample", ["demo.script.yaml", "context/rules.md"])
YAML_FILES = [path for path in SAMPLE.files if path.endswith(".yaml")] + ["agents/first.md"]
STRANGE: list[Any] = [
    None, True, 0, -1, 1.5, 10**18, "", "*", "default", "\u0000", "${env:X}", "${", "$$", "{{ args.x }}", "{{", "}}",
    "12:30", "a" * 5000, "\u00fc\U0001f44b", [], [None], [[1]], {}, {"kind": "http"}, {"x-a": 1}, {"$ref": "#/x"},
    {"type": "object", "properties": 3},
]  # fmt: skip
QUIET = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    """One compiler for all mutations: what it remembers of one tree must not leak into the next."""
    return Compiler(FOLDER / "sample", KINDS, {})


def _compile(compiler: Compiler, path: str, data: bytes) -> Compiled:
    files = {**SAMPLE.files, path: data}
    return compiler.compile(Tree(SAMPLE.root, files, revision_of(files)))


def _check(compiled: Compiled, path: str, data: bytes) -> None:
    for each in compiled.diagnostics:
        text = (data if each.path == path else SAMPLE.files.get(each.path, b"")).decode("utf-8", "replace")
        lines = text.replace("\r\n", "\n").split("\n")
        assert 1 <= each.line <= len(lines), str(each)
        assert 1 <= each.column <= len(lines[each.line - 1]) + 1, str(each)
        assert each.message, str(each)


def _places(value: Any, key: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [key, *(place for name, each in items for place in _places(each, (*key, name)))]


def _changed(body: Any, key: tuple[Any, ...], how: str, value: Any) -> Any:
    out = copy.deepcopy(body)
    if not key:
        return value
    holder = out
    for part in key[:-1]:
        holder = holder[part]
    if how == "remove":
        del holder[key[-1]]
    elif how == "rename" and isinstance(holder, dict):
        holder[f"{key[-1]}x"] = holder.pop(key[-1])
    else:
        holder[key[-1]] = value
    return out


@given(data=st.data())
@QUIET
def test_changed_values_and_keys(compiler: Compiler, data: st.DataObject) -> None:
    """A key that is removed, renamed or given a strange value is a finding or nothing, never an exception."""
    path = data.draw(st.sampled_from(YAML_FILES))
    document, _ = parse(path, SAMPLE.files[path])
    assert document is not None
    key = data.draw(st.sampled_from(_places(document.body)))
    how = data.draw(st.sampled_from(["remove", "rename", "replace"]))
    body = _changed(document.body, key, how, data.draw(st.sampled_from(STRANGE)))
    front = json.dumps(body, indent=1, ensure_ascii=False)
    text = front if document.prompt is None else f"---\n{front}\n---\n{document.prompt}"
    raw = text.encode("utf-8", "surrogatepass")
    _check(_compile(compiler, path, raw), path, raw)


@given(data=st.data())
@QUIET
def test_changed_bytes(compiler: Compiler, data: st.DataObject) -> None:
    """Bytes that are cut out, doubled or replaced in any file are a finding or nothing, never an exception."""
    path = data.draw(st.sampled_from(sorted(SAMPLE.files)))
    raw = SAMPLE.files[path]
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 40)))
    middle = data.draw(st.one_of(st.binary(max_size=8), st.just(raw[start:end] * 2), st.text(max_size=8).map(_bytes)))
    changed = raw[:start] + middle + raw[end:]
    _check(_compile(compiler, path, changed), path, changed)


@given(data=st.data())
@QUIET
def test_changed_lines_of_the_gateway(compiler: Compiler, data: st.DataObject) -> None:
    """Lines of `gateway.toml` that are left out, doubled or moved never end in an exception."""
    lines = SAMPLE.files["gateway.toml"].decode().split("\n")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        line = lines.pop(at)
        for _ in range(data.draw(st.integers(0, 2))):
            lines.insert(data.draw(st.integers(0, len(lines))), line)
    raw = "\n".join(lines).encode()
    _check(_compile(compiler, "gateway.toml", raw), "gateway.toml", raw)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def test_the_sample_is_still_in_order(compiler: Compiler, tmp_path: Path) -> None:
    """After all mutations the untouched sample gives no finding but that it holds more than it uses."""
    assert {each.code for each in compiler.compile(SAMPLE).diagnostics} == {"HG1205"}
