"""Every broken tree in tests/manifests gives just the findings that its file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.manifest.diagnostics import render_text
from tests.manifests.golden import Case, cases

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_tree_gives_its_golden_findings(case: Case, tmp_path: Path) -> None:
    """All findings come in one pass, each at the place that must be changed, and nothing innocent is blamed."""
    assert render_text(case.compile(tmp_path).diagnostics) == case.expected


def test_there_are_many_broken_trees() -> None:
    """The goldens cover at least eighty kinds of trees."""
    assert len(CASES) >= 80


def test_the_smallest_tree_of_the_goldens_is_in_order(tmp_path: Path) -> None:
    """What a golden case does not say itself gives no finding."""
    assert Case("smallest").compile(tmp_path).diagnostics == ()
