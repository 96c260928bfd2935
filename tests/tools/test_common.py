"""What all tool manifests share."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headgate.core.ports import Annotations
from headgate.tools import TOOLS
from headgate.tools.common import Hints, ToolSpec


def spec(**keys: Any) -> ToolSpec:
    return ToolSpec.model_validate({"kind": "x", "description": "A tool.", **keys})


def test_the_registry_names_each_kind_once() -> None:
    """Every kind is registered under its own name, with a summary and a spec that has a schema."""
    assert list(TOOLS) == ["http", "function", "command", "client", "mcp"]
    for name, kind in TOOLS.items():
        assert (kind.name, bool(kind.summary)) == (name, True)
        assert kind.spec.model_json_schema()["properties"]["kind"]["const"] == name


def test_defaults() -> None:
    """A tool takes no arguments and half a minute unless it says otherwise."""
    plain = spec()
    assert plain.input_schema == {"type": "object", "properties": {}, "additionalProperties": False}
    assert (plain.seconds, plain.output, plain.annotations.over(Annotations())) == (30.0, None, Annotations())


@pytest.mark.parametrize(
    "keys", [{"description": "  "}, {"name": "No Name"}, {"timeout": "soon"}, {"output": "a["}, {"more": 1}]
)
def test_bad_keys_are_refused(keys: dict[str, Any]) -> None:
    """Each shared key is checked."""
    with pytest.raises(ValidationError) as caught:
        spec(**keys)
    assert caught.value.errors()[0]["loc"] == tuple(keys)


def test_stated_annotations_win() -> None:
    """What is stated overrides the kind; a tool that is stated to be read-only is not destructive."""
    assert Hints(read_only=True).over(Annotations()) == Annotations(read_only=True, destructive=False)
    assert Hints(idempotent=True, open_world=False).over(Annotations()) == Annotations(
        idempotent=True, open_world=False
    )
    with pytest.raises(ValidationError, match="cannot be destructive"):
        Hints(read_only=True, destructive=True)
