"""Manifests that the guides show are in order, or have exactly the findings that are shown beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from headgate.compile.compiler import Compiler
from headgate.kinds import DEFAULT_KINDS
from headgate.manifest.diagnostics import Diagnostic
from headgate.testing.harness import write_tree
from tests.docs.pages import Block, blocks, having, name

GATEWAY = """\
version = 1
default_agent = "assistant"

[auth.keys.ops]
key = "${env:OPS_KEY}"

[providers.default]
kind = "auto"
"""
AGENT = "---\ndescription: Helps.\n---\nYou help.\n"
LANGUAGES = ("toml", "yaml", "markdown")
_HEADER = re.compile(r"(?m)^(?=\[)")

Files = dict[str, str]


def examples(page: Path) -> list[tuple[Block, str | None]]:
    """The titled manifests of a page, each with the findings that are shown right after it."""
    every = blocks(page)
    follower = {id(first): second for first, second in pairwise(every)}
    found = []
    for block in (each for each in every if each.title and each.language in LANGUAGES):
        after = follower.get(id(block))
        found.append((block, after.text.rstrip("\n") if after and after.info == "text findings" else None))
    return found


def merged(gateway: str, block: Block) -> str:
    """The gateway with the tables of a block; a table that was there before is replaced."""
    tables = {each.partition("\n")[0]: each for each in _HEADER.split(gateway)}
    tables |= {each.partition("\n")[0]: each.rstrip("\n") + "\n\n" for each in _HEADER.split(block.text) if each}
    return "".join(tables.values())


def laid(files: Files, block: Block) -> Files:
    """The files with the block among them."""
    text = merged(files["gateway.toml"], block) if block.added else block.text
    return {**files, block.title: text}


def assembled(page: Path) -> Files:
    """The tree that the page builds."""
    files: Files = {"gateway.toml": GATEWAY, "agents/assistant.md": AGENT}
    for block, said in examples(page):
        files = files if said is not None else laid(files, block)
    return files | {each.title: each.text for each in blocks(page) if each.title and each.language == "text"}


def compiled(root: Path, files: Mapping[str, str], *, skip: bool) -> tuple[Diagnostic, ...]:
    """What is wrong with the files."""
    tree = write_tree(root, {path: text for path, text in files.items() if not path.endswith(".py")})
    found = Compiler(tree, DEFAULT_KINDS, {}, skip_environment=skip).compile().diagnostics
    # A page shows one object at a time, which nobody need use there.
    return tuple(each for each in found if each.code != "HG1205")


@pytest.mark.parametrize("page", having(*LANGUAGES, titled=True), ids=name)
def test_manifests(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each manifest of the page, laid over the tree that the page builds, says what the page says."""
    code = write_tree(tmp_path / "code", {each.title: each.text for each in blocks(page) if each.language == "python"})
    monkeypatch.syspath_prepend(str(code))
    whole = assembled(page)
    for number, (block, said) in enumerate(examples(page)):
        found = compiled(tmp_path / str(number), laid(whole, block), skip=said is None)
        shown = [str(each) for each in found if said is None or each.path == block.title]
        assert shown == (said or "").splitlines(), f"{name(page)}:{block.line}"
