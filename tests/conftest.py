"""What the tests of the running gateway share."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from headgate.testing.harness import agent_md, gateway_toml, write_tree
from tests import workshop

# No example is too slow, and CI tries the same ones each time: a change is not held up by what it has not caused.
settings.register_profile(
    "tests", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("tests")

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
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 where nobody listens, and nobody else can meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


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
