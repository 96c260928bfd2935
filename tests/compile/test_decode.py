"""Decoding goes on behind a mistake, and what stands in for it is never spoken of."""

from __future__ import annotations

from typing import Any

from headgate.compile.decode import covers, decode, named, prune, touches
from headgate.compile.specs import Agent, Gateway
from headgate.core.kind import Key
from headgate.tools.http.spec import HttpSpec


def _keys(spec: Any, body: Any, silent: frozenset[Key] = frozenset()) -> list[tuple[str, Key]]:
    return [(each.code, each.key) for each in decode(spec, body, (), silent).findings]


def test_a_spec_is_made_without_its_faulty_parts() -> None:
    """The rest of the body is decoded, and the faulty key is silent from then on."""
    made = decode(Agent, {"description": "x", "timeout": "soon", "tools": ["a"]}, ("at",))
    assert made.spec is not None
    assert (made.spec.timeout, made.spec.tools) == (600.0, ("a",))
    assert ([each.key for each in made.findings], made.silent) == ([("at", "timeout")], {("at", "timeout")})


def test_missing_keys_get_stand_ins() -> None:
    """Whatever the type of a required key is, something stands in for it; each is reported once."""
    made = decode(Gateway, {"models": {"fast": {}}})
    keys = {("version",), ("providers",), ("models", "fast", "provider")}
    assert made.spec is not None
    assert {(each.code, each.key) for each in made.findings} == {("HG1005", key) for key in keys}
    assert made.silent == keys
    assert decode(HttpSpec, {"kind": "http"}).spec is not None


def test_silent_keys_are_not_reported_again() -> None:
    """What is known to be wrong, and the tables around it, give no second finding."""
    silent = frozenset({("request", "url"), ("auth", "token")})
    body = {"kind": "http", "description": "x", "request": {"method": "GT"}, "auth": {"type": "bearer"}}
    assert _keys(HttpSpec, body, silent) == [("HG1004", ("request", "method"))]


def test_an_item_of_a_list_keeps_its_place() -> None:
    """A faulty item is replaced, so that findings in later ones stand where they are written."""
    made = decode(Agent, {"description": "x", "tools": ["a", 3, "c"]})
    assert made.spec is not None
    assert (made.spec.tools[0], made.spec.tools[2], made.silent) == ("a", "c", {("tools", 1)})


def test_a_body_that_no_spec_can_be_made_of() -> None:
    """A body that is no table ends the attempts."""
    assert decode(Agent, []).spec is None


def test_pruning_leaves_the_body_alone() -> None:
    """The copy lacks what stands at the keys; keys that lead nowhere are no error."""
    body = {"a": {"b": 1, "c": [{"d": 1}, 2]}}
    keys = [("a", "b"), ("a", "c", 0, "d"), ("a", "c", 1), ("x", "y"), ("a", "b", "z"), ("a", "c", 9), ()]
    assert prune(body, keys) == {"a": {"c": [{}, "stand-in"]}}
    assert body == {"a": {"b": 1, "c": [{"d": 1}, 2]}}


def test_keys_cover_what_is_below_and_touch_what_is_around() -> None:
    """A silent key speaks for what is inside of it; a judgement of the outside is one of it too."""
    silent = {("a", "b")}
    assert [covers(silent, key) for key in (("a",), ("a", "b"), ("a", "b", 0), ("a", "c"))] == [0, 1, 1, 0]
    assert [touches(silent, key) for key in ((), ("a",), ("a", "b", 0), ("a", "c"))] == [1, 1, 1, 0]


def test_places_have_names() -> None:
    """Messages say which item of which list is meant, counted from one."""
    assert [named(key) for key in ((), ("a", "b"), ("a", 1), (0,))] == [
        "the file", "'b'", "item 2 of 'a'", "item 1 of the file",
    ]  # fmt: skip
