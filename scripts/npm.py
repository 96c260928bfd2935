"""Packages of npm that tests need, in a folder of their own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE = 240.0
"""Seconds that npm may take, all its attempts together."""
ATTEMPTS = 3
_FLAGS = ("--silent", "--no-audit", "--no-fund", "--fetch-timeout=60000")


class Unavailable(Exception):
    """The packages cannot be had here, and why."""


def install(folder: Path, *packages: str) -> None:
    """Puts the packages into the folder, unless it is there.

    They are installed beside it and moved when they are whole, so that neither an attempt that was broken off nor
    another process that does the same leaves half of them.
    """
    if folder.is_dir():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable(f"there is no npm, so {' and '.join(packages)} cannot be installed")
    folder.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + PATIENCE
    said = ""
    for _ in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as aside:
            whole = Path(aside) / "whole"
            said = _run([npm, "install", *_FLAGS, "--prefix", str(whole), *packages], deadline - time.monotonic())
            if not said:
                _place(whole, folder)
                return
    raise Unavailable(f"npm cannot install {' and '.join(packages)}: {said}")


def _run(command: list[str], patience: float) -> str:
    """What went wrong; empty when nothing did."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(1.0, patience), check=False)
    except subprocess.TimeoutExpired:
        return f"it took longer than {PATIENCE:g} s"
    last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["without a word"]
    return last[0] if done.returncode else ""


def _place(whole: Path, folder: Path) -> None:
    try:
        whole.rename(folder)
    except OSError:  # another process was faster
        if not folder.is_dir():
            raise
