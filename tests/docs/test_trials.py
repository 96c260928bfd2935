"""The inline tests that the guides show pass."""

from __future__ import annotations

from pathlib import Path

from headgate.compile.compiler import Compiler
from headgate.engine.trial.suite import Suite
from headgate.kinds import DEFAULT_KINDS
from headgate.testing.harness import write_tree
from tests.docs.pages import ROOT
from tests.docs.test_manifests import assembled


async def test_the_guide_to_inline_tests(tmp_path: Path) -> None:
    """Every test that the page builds passes, also where the environment is left out."""
    files = assembled(ROOT / "docs" / "tests.md")
    compiled = Compiler(write_tree(tmp_path, files), DEFAULT_KINDS, {}, skip_environment=True).compile()
    verdicts = await Suite.of(compiled.draft, {}).run()
    assert [each.state for each in verdicts] == ["passed"] * 4, [each.diagnostics for each in verdicts]
