"""A bench with two probes, one agent and one scripted provider."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compile.probes import AGENT, GATEWAY, SCRIPTED, Bench, probe


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The bench, its tree written."""
    made = Bench(tmp_path)
    made.write({"gateway.toml": GATEWAY + SCRIPTED, "agents/helper.md": AGENT})
    made.write({"tools/first.yaml": probe(), "tools/second.yaml": probe(value="${env:SECOND:-none}")})
    return made
