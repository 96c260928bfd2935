"""Replays AgentDojo's tasks, and attacks on them, through a gateway: `python replay.py --install`. See README.md."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dojo.play import Outcome

HERE = Path(__file__).resolve().parent
PACKAGE = "agentdojo==0.1.35"
VENV = HERE / ".venv"


def main() -> int:
    """The command line; returns 1 when a task failed behind the policies, or an attack succeeded by its calls."""
    options = _options()
    if importlib.util.find_spec("agentdojo") is None:
        return _again(options)
    from dojo import cases, figures

    jobs = [(name, policies, options.headgate) for name in _names(cases, options.suite) for policies in (True, False)]
    with ProcessPoolExecutor(max_workers=2) as pool:
        rounds: dict[str, list[Outcome]] = {}
        for found in pool.map(_play, jobs):
            for name, outcomes in found.items():
                rounds.setdefault(name, []).extend(outcomes)
    found = figures.report(rounds)
    print(figures.text(found))
    if options.report:
        whole = {"benchmark": cases.VERSION, "package": PACKAGE, "figures": found}
        outcomes = {name: [figures.plain(each) for each in every] for name, every in rounds.items()}
        Path(options.report).write_text(json.dumps({**whole, "outcomes": outcomes}, indent=1), encoding="utf-8")
    total = found["all"]
    return int(total["tasks"]["solved"] < total["tasks"]["tasks"] or total["attacks"]["successful"] > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--install", action="store_true", help=f"put {PACKAGE} into {VENV.name} beside this file first")
    parser.add_argument("--suite", action="append", help="banking, slack, travel or workspace; all if not given")
    parser.add_argument("--headgate", default=_command(), help="the command `headgate`")
    parser.add_argument("--report", help="a file for all outcomes, as JSON")
    options = parser.parse_args()
    if options.headgate is None:
        parser.error("the command headgate is not found; name it with --headgate")
    return options


def _command() -> str | None:
    beside = Path(sys.executable).with_name("headgate")
    return str(beside) if beside.exists() else shutil.which("headgate")


def _again(options: argparse.Namespace) -> int:
    """Goes on in a Python of its own that has the package, so that its dependencies touch nobody else's."""
    python = VENV / "bin" / "python"
    if options.install and not python.exists():
        venv.create(VENV, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
    if not python.exists():
        print(f"the package agentdojo is missing: add --install to put {PACKAGE} into {VENV}", file=sys.stderr)
        return 1
    os.execv(python, [str(python), str(HERE / "replay.py"), *sys.argv[1:], "--headgate", options.headgate])


def _names(cases: Any, wanted: list[str] | None) -> list[str]:
    return [suite.name for suite in cases.suites(wanted)]


def _play(job: tuple[str, bool, str]) -> dict[str, list[Outcome]]:
    """The rounds of one suite, with or without the policies, in a process of their own."""
    from dojo import backend, cases, gateway
    from dojo.play import play

    name, policies, headgate = job
    (suite,) = cases.suites([name])
    tools, end = backend.Backend(), "" if policies else "_without_policies"
    with tempfile.TemporaryDirectory() as folder:
        root = gateway.tree(Path(folder), policies=policies)
        with backend.served(tools) as url, gateway.served(headgate, root, url) as client:
            return {
                f"tasks{end}": [play(case, client, tools) for case in cases.untouched(suite)],
                f"attacks{end}": [play(case, client, tools) for case in cases.attacked(suite)],
            }


if __name__ == "__main__":
    sys.exit(main())
