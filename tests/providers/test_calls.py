"""Arguments and ids of tool calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.core.messages import Opaque, ToolCall
from headgate.providers.calls import MAX_DEPTH, CallIds, read_call
from tests.providers.samples import ask, assistant, call, user


@pytest.mark.parametrize(
    ("raw", "args"), [('{"a": 1}', {"a": 1}), ("", {}), ("[1]", None), ("null", None), ('{"a": 1', None), ("x", None)]
)
def test_arguments(raw: str, args: dict[str, Any] | None) -> None:
    """Arguments are a JSON object or none at all; what could not be read is kept as it came."""
    assert read_call("c", "x", raw) == ToolCall("c", "x", args, malformed="" if args is not None else raw)


@pytest.mark.parametrize("depth", [MAX_DEPTH, 900, 100_000])
def test_endless_nesting(depth: int) -> None:
    """What a model in a loop writes is no arguments, whether or not it can be decoded."""
    for raw in ('{"a":' + "[" * depth + "]" * depth + "}", '{"a":' + "[" * depth, '{"a":' * depth + "1" + "}" * depth):
        deep = read_call("c", "x", '{"b":' + raw + "}")
        assert (deep.args, deep.malformed) == (None, '{"b":' + raw + "}")


def test_many_levels_that_are_none() -> None:
    """Brackets in texts, and tables side by side, are not levels."""
    args = {"text": "[{" * 500, "rows": [[{"a": {}}]] * 500}
    assert read_call("c", "x", json.dumps(args)).args == args


def test_cut() -> None:
    """A call that was cut off has no arguments, and keeps its opaque state."""
    opaque = Opaque("p", "m", b"{}")
    assert read_call("c", "x", '{"a": 1}', cut=True, opaque=opaque) == ToolCall("c", "x", None, '{"a": 1}', opaque)


def test_own_ids_stay() -> None:
    """An id that nobody has is left as it is."""
    assert CallIds(ask()).unique("call_x", 0) == "call_x"


def test_repeated_ids() -> None:
    """An id that the turn or the conversation has already is told apart."""
    ids = CallIds(ask(user(), assistant(call("c1")), user()))
    assert [ids.unique(each, index) for index, each in enumerate(["c1", "a", "a", "a"])] == ["c1_2", "a", "a_2", "a_3"]


def test_made_up_ids() -> None:
    """A missing id is made of the turn and the place, the same way every time."""
    request = ask(user(), assistant(call("call_3_1")), user(), turn=3)
    for _ in range(2):
        ids = CallIds(request)
        assert [ids.unique("", index) for index in range(2)] == ["call_3_0", "call_3_1_2"]
