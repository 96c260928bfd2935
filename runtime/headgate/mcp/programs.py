"""What is run for a server on this machine: the program, its directory, and an environment that is its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from headgate.core.kind import Env
from headgate.mcp import stdio
from headgate.mcp.faults import ServerFault
from headgate.mcp.spec import ServerSpec

_PASSED = frozenset({"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LANG", "LANGUAGE", "TZ", "TMPDIR"})


def program(spec: ServerSpec, env: Env, heard: Callable[[str], None]) -> stdio.Program:
    """What is run for a server; raises `ServerFault` when the program or the directory is missing, which no further
    attempt mends by itself."""
    assert spec.command is not None
    passed = {name: value for name, value in env.environ.items() if name in _PASSED or name.startswith("LC_")}
    folder = (env.root / (spec.cwd or "")).resolve()
    if not folder.is_dir():
        raise ServerFault(f"'cwd' is no directory: {spec.cwd}", code="config_error", retryable=False)
    path = passed.get("PATH", os.defpath)
    named = spec.command if "/" not in spec.command else str(folder / Path(spec.command))
    found = shutil.which(named, path=path)
    if found is None:
        message = f"there is no program {spec.command!r}; looked in {path}"
        raise ServerFault(message, retryable=False, sent=False)
    return stdio.Program((found, *map(str, spec.args)), str(folder), {**passed, **spec.env}, heard)
