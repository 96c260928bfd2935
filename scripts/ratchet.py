"""Fails when a module is longer than its limit: 300 lines, or what `scripts/ratchet.txt` says for an old sin.

The exceptions may only shrink: a module that has become shorter than its entry must have the entry lowered.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULE_LIMIT, FUNCTION_LIMIT, CLASS_LIMIT = 300, 50, 200
RATCHET = ROOT / "scripts" / "ratchet.txt"


def main() -> int:
    """Prints every excess and returns 1 when there is one."""
    allowed = dict(_allowed())
    problems = [*_modules(allowed), *_definitions()]
    print("\n".join(problems) or "lengths: fine")
    return 1 if problems else 0


def _allowed() -> Iterator[tuple[str, int]]:
    for line in RATCHET.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            path, _, limit = line.rpartition(" ")
            yield path, int(limit)


def _sources() -> list[Path]:
    tops = ("runtime", "tests", "benchmarks", "scripts", "examples")
    return sorted(path for top in tops for path in (ROOT / top).rglob("*.py") if ".venv" not in path.parts)


def _modules(allowed: dict[str, int]) -> Iterator[str]:
    for path in _sources():
        name, lines = path.relative_to(ROOT).as_posix(), len(path.read_text(encoding="utf-8").splitlines())
        limit = allowed.pop(name, MODULE_LIMIT)
        if lines > limit:
            yield f"{name}: {lines} lines, the limit is {limit}: split it"
        elif limit > max(lines, MODULE_LIMIT):
            yield f"{name}: has shrunk to {lines} lines; lower its entry in scripts/ratchet.txt"
    for name in allowed:
        yield f"{name}: is gone; remove its entry from scripts/ratchet.txt"


def _definitions() -> Iterator[str]:
    for path in (each for each in _sources() if "runtime" in each.parts):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            limit = CLASS_LIMIT if isinstance(node, ast.ClassDef) else FUNCTION_LIMIT
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > limit:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {lines} lines, the limit is {limit}"


if __name__ == "__main__":
    sys.exit(main())
