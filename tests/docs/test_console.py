"""Commands that the pages show print what the pages show, against a live gateway on the reference tree."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headgate.testing.harness import Live, live
from tests.docs.pages import ROOT, Block, blocks, having, name

TREE = ("gateway.toml", "agents", "tools", "fragments", "context", "demo.script.yaml", "schemas")
SHOWN = "http://127.0.0.1:8000"
SET_UP = re.compile(
    r"(make \w+|(\S+/bin/)?headgate serve\b.*|(export )?[A-Z_]+=.*|python3 -m venv .*|(\S+/bin/)?pip install .*"
    r"|python examples/\S+ --install)?( +#.*)?"
)
_END = "--end of command--"
_ELLIPSIS = re.escape("...")


class Shell:
    """One bash that runs the commands of a page, with what they share: directory, variables, exit code."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self._url = url

    async def run(self, command: str) -> str:
        """What the command prints, on both streams."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        text = command.replace(SHOWN, self._url)
        stdin.write(f"{text}\n_code=$?; printf '\\n%s\\n' '{_END}'; (exit $_code)\n".encode())
        printed = await stdout.readuntil(f"{_END}\n".encode())
        return printed.decode().removesuffix(f"{_END}\n").replace(self._url, SHOWN)


@contextlib.asynccontextmanager
async def shell(folder: Path, url: str) -> AsyncIterator[Shell]:
    """A shell in the tree, without anything of this process's environment but the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    process = await asyncio.create_subprocess_exec(
        "bash", "--norc", cwd=folder, env={"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", "NO_PROXY": "*"},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, limit=1 << 24,
    )  # fmt: skip
    yield Shell(process, url)
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()


def steps(block: Block) -> list[tuple[str, str]]:
    """The commands of a console block, each with what it is shown to print."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"(?m)^\$ ", block.text)[1:]:
        lines = part.splitlines()
        ends = next(at for at, line in enumerate(lines) if not line.endswith("\\"))
        found.append(("\n".join(lines[: ends + 1]), "\n".join(lines[ends + 1 :])))
    return found


def pattern(shown: str) -> str:
    """The shown lines as a regular expression: `...` stands for anything, alone in its line for any lines."""
    lines = (re.escape(line.strip()) for line in shown.splitlines() if line.strip())
    return "".join(r"(?:.*\n)*?" if line == _ELLIPSIS else line.replace(_ELLIPSIS, ".*") + r"\n" for line in lines)


def plain(printed: str) -> str:
    """What was printed, without blank lines and indentation."""
    return "".join(f"{line.strip()}\n" for line in printed.splitlines() if line.strip())


async def exchange(gateway: Live, block: Block) -> None:
    """Exchanges the lines of a diff and makes the tree live, or tries to."""
    text = (gateway.root / block.title).read_text(encoding="utf-8")
    for sign, line in ((each[0], each[1:]) for each in block.text.splitlines()):
        if sign == "-":
            assert f"\n{line}\n" in text, f"{block.title} has no line {line!r}"
            removed = line
        else:
            text = text.replace(f"\n{removed}\n", f"\n{line}\n")
    gateway.edit(block.title, text)
    await gateway.gateway.edge.reloader.reload()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("page", having("console", titled=False), ids=name)
async def test_console(page: Path, tmp_path: Path) -> None:
    """The page's commands, run in order, print what is shown; edits between them are made."""
    for each in TREE:
        source = ROOT / each
        shutil.copytree(source, tmp_path / each) if source.is_dir() else shutil.copy(source, tmp_path / each)
    async with live(tmp_path) as gateway, shell(tmp_path, gateway.url) as bash:
        for block in blocks(page):
            if block.language == "diff":
                await exchange(gateway, block)
            for command, shown in steps(block) if block.language == "console" else ():
                printed = plain(await asyncio.wait_for(bash.run(command), 300))
                assert re.fullmatch(pattern(shown), printed), f"{name(page)}:{block.line}: {command}\n{printed}"


@pytest.mark.parametrize("page", having("bash", titled=False), ids=name)
def test_unchecked_commands_only_set_up(page: Path) -> None:
    """A `bash` block, which is not run, holds nothing but commands that set up or serve."""
    for block in blocks(page):
        lines = block.text.splitlines() if block.language == "bash" else []
        assert [each for each in lines if not SET_UP.fullmatch(each)] == [], f"{name(page)}:{block.line}"
