"""The composition root: what one gateway holds, and what a second one may not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.boot import Place, open_gateway
from headgate.core.errors import ConfigError
from headgate.testing.harness import agent_md, gateway_toml, write_tree


def tree(root: Path) -> Path:
    """A tree with one scripted agent."""
    files = {"gateway.toml": gateway_toml(), "agents/helper.md": agent_md(), "script.yaml": "- {text: Hello.}\n"}
    return write_tree(root, files)


def place(root: Path, state: str) -> Place:
    """The tree with a state directory of its own."""
    return Place(tree=root, state=root / state, environ={})


async def test_one_gateway_a_state_directory(tmp_path: Path) -> None:
    """A second gateway on the same state directory is refused, and the first is none the worse."""
    root = tree(tmp_path)
    async with open_gateway(place(root, "one"), watch=False) as first:
        with pytest.raises(ConfigError, match="another gateway runs on"):
            async with open_gateway(place(root, "one"), watch=False):
                raise AssertionError("opened twice")
        await first.edge.host.ledger.ping()


async def test_one_gateway_a_ledger(tmp_path: Path) -> None:
    """Another state directory does not help: the ledger itself has one owner."""
    root = tree(tmp_path)
    async with open_gateway(place(root, "one"), watch=False):
        with pytest.raises(ConfigError, match=r"another gateway runs on .*state\.db"):
            async with open_gateway(place(root, "two"), watch=False):
                raise AssertionError("opened twice")


async def test_a_ledger_is_free_afterwards(tmp_path: Path) -> None:
    """What a gateway held is free when it has stopped."""
    root = tree(tmp_path)
    for _ in range(2):
        async with open_gateway(place(root, "one"), watch=False) as gateway:
            assert gateway.snapshot.agents.keys() == {"helper"}
