"""The contracts of imports in `pyproject.toml` are about all that there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import headgate
from headgate.kinds import DEFAULT_KINDS
from headgate.mcp.auth import AUTHS

RUNTIME = Path(headgate.__file__).parent
PROJECT = RUNTIME.parent.parent / "pyproject.toml"


def contracts(kind: str) -> list[dict[str, Any]]:
    """The contracts of this type."""
    declared = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    return [each for each in declared if each["type"] == kind]


def test_every_room_has_its_layer() -> None:
    """A package or a module that no layer names could import anything."""
    (layers,) = contracts("layers")
    named = {room for layer in layers["layers"] for room in re.split(r"\s*[|:]\s*", layer)}
    rooms = {path.stem for path in RUNTIME.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert {f"headgate.{room}" for room in rooms - {"__init__"}} == named


def test_kinds_are_strangers() -> None:
    """Every kind of every family is in a contract of strangers."""
    strangers = {module for contract in contracts("independence") for module in contract["modules"]}
    families = (DEFAULT_KINDS.providers, DEFAULT_KINDS.tools, DEFAULT_KINDS.secrets, DEFAULT_KINDS.interceptors, AUTHS)
    homes = [(kind.open or kind.spec).__module__ for family in families for kind in family.values()]
    assert len(homes) > 20
    assert [home for home in homes if ".".join(home.split(".")[:3]) not in strangers] == []
