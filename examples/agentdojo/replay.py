"""Replays AgentDojo's tasks, and attacks on them, through a gateway: `python replay.py --install`. See README.md.

The package `agentdojo` gets a virtual environment of its own beside this file, so that its dependencies touch nothing
else.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "agentdojo==0.1.35"
VENV = HERE / ".venv"


def main() -> int:
    """The command line; the exit code is that of the replay, or 1 when the package is missing."""
    options = _options()
    python = _python(install=options.install)
    if python is None:
        print(f"the package agentdojo is missing: --install puts {PACKAGE} into {VENV}", file=sys.stderr)
        return 1
    command = [python, "-m", "dojo", "--headgate", options.headgate]
    command += [word for name in options.suite for word in ("--suite", name)]
    command += ["--report", str(options.report.absolute())] if options.report else []
    return subprocess.run(command, cwd=HERE, check=False).returncode


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Replays AgentDojo's tasks, and attacks on them, through a gateway.")
    parser.add_argument("--install", action="store_true", help=f"first put {PACKAGE} into {VENV.name} beside this file")
    parser.add_argument("--suite", action="append", default=[], help="banking, slack, travel or workspace; else all")
    parser.add_argument("--headgate", default=_headgate(), help="the command headgate")
    parser.add_argument("--report", type=Path, help="a file for what became of every call, as JSON")
    options = parser.parse_args()
    if options.headgate is None:
        parser.error("the command headgate is not found; name it with --headgate")
    return options


def _headgate() -> str | None:
    beside = Path(sys.executable).with_name("headgate")
    return str(beside) if beside.exists() else shutil.which("headgate")


def _python(*, install: bool) -> str | None:
    """A Python that has the package, or None."""
    if importlib.util.find_spec("agentdojo") is not None:
        return sys.executable
    python = VENV / "bin" / "python"
    if install and not python.exists():
        venv.create(VENV, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
    return str(python) if python.exists() else None


if __name__ == "__main__":
    sys.exit(main())
