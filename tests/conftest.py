"""What the tests of the running gateway share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.testing.harness import agent_md, gateway_toml, write_tree
from tests import workshop

Tree = Callable[..., Path]
DEFAULT = 'default_agent = "helper"'
TOOLS = {
    f"tools/{name}.yaml": f"kind: function\ndescription: Does it.\ncall: tests.workshop:{name}\n"
    for name in ("add", "fail", "meet", "talk", "wait")
}
"""The functions of `workshop` as tools."""


@pytest.fixture(autouse=True)
def _closed_gates() -> None:
    """Every test finds the gates of the workshop closed."""
    workshop.gates.clear()
    workshop.entered.clear()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Writes a tree with one agent, `helper`, that plays `script` and may call every tool of `workshop`."""

    def write(
        script: str = "- {text: Hello there}\n",
        *,
        toml: str = "",
        provider: str = "",
        files: dict[str, str] | None = None,
        **keys: object,
    ) -> Path:
        functions = '[functions]\npackages = ["tests.workshop"]\n'
        given = {"provider": provider} if provider else {}
        base = {
            "gateway.toml": gateway_toml(functions + toml, top=DEFAULT, **given),
            "script.yaml": script,
            "agents/helper.md": agent_md(**{"model": "default/auto", "tools": ["*"], **keys}),
        }
        return write_tree(tmp_path / "tree", {**base, **TOOLS, **(files or {})})

    return write
