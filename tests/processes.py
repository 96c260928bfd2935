"""Processes that the tests have started, and what is left of them."""

from __future__ import annotations

import os
from pathlib import Path


def children() -> set[int]:
    """The processes that the main thread of this one has started and not waited for yet."""
    pid = os.getpid()
    return {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def alive(pid: int) -> bool:
    """Whether the process is there, and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
