"""The generated pages are those that the code makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT


def run(script: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Runs the generator."""
    return subprocess.run([sys.executable, str(script), *args], capture_output=True, text=True, check=False)


def copy(root: Path) -> Path:
    """A copy of the generator that writes below `root`."""
    (root / "scripts").mkdir()
    (root / "scripts" / "docs.py").write_bytes((ROOT / "scripts" / "docs.py").read_bytes())
    return root / "scripts" / "docs.py"


def test_pages_are_fresh() -> None:
    """The committed pages are what the generator writes."""
    done = run(ROOT / "scripts" / "docs.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_stale_pages_are_named(tmp_path: Path) -> None:
    """A page that was edited by hand is named, and the exit code is 1; a fresh one is not."""
    script = copy(tmp_path)
    assert run(script).returncode == 0
    page = tmp_path / "docs" / "diagnostics.md"
    page.write_text(page.read_text(encoding="utf-8") + "More.\n", encoding="utf-8")
    done = run(script, "--check")
    assert (done.returncode, "diagnostics.md is stale" in done.stdout) == (1, True)
    assert "tool.md" not in done.stdout
