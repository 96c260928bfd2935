"""Packages of npm and PyPI that tests need, each set in a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 240.0
"""Seconds that fetching may take, all attempts together."""
ATTEMPTS = 3
_NPM = ("install", "--silent", "--no-audit", "--no-fund", "--fetch-timeout=60000", "--prefix")
_PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target")


class Unavailable(Exception):
    """The packages cannot be had here, and why."""


def from_npm(folder: Path, *packages: str) -> None:
    """Puts packages of npm into the folder, unless it is there."""
    npm = shutil.which("npm")
    if npm is None and not folder.is_dir():
        raise Unavailable(f"there is no npm, so {' and '.join(packages)} cannot be installed")
    _fetch(folder, lambda whole: [str(npm), *_NPM, str(whole), *packages])


def from_pypi(folder: Path, *packages: str) -> None:
    """Puts packages of PyPI into the folder, unless it is there."""
    _fetch(folder, lambda whole: [sys.executable, *_PIP, str(whole), *packages])


def _fetch(folder: Path, command: Callable[[Path], list[str]]) -> None:
    """Installs them beside the folder and moves them there when they are whole, so that neither an attempt that was
    broken off nor another process that does the same leaves half of them."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    deadline, said = time.monotonic() + PATIENCE, ""
    for _ in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as aside:
            whole = Path(aside) / "whole"
            said = _run(command(whole), deadline - time.monotonic())
            if not said:
                _place(whole, folder)
                return
    raise Unavailable(said)


def _run(command: list[str], patience: float) -> str:
    """What went wrong; empty when nothing did."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(1.0, patience), check=False)
    except subprocess.TimeoutExpired:
        return f"the packages did not come within {PATIENCE:g} s"
    said = (done.stderr or done.stdout).strip()[-300:] or "the installation failed without a word"
    return said if done.returncode else ""


def _place(whole: Path, folder: Path) -> None:
    try:
        whole.rename(folder)
    except OSError:  # another process was faster
        if not folder.is_dir():
            raise
