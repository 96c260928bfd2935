"""What a server asks, made fit to be shown; and what fits a form."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.core.errors import Invalid
from headgate.core.inputs import Question
from headgate.mcp.forms import Unfit, address, choices, fitting, form


def read(properties: dict[str, Any], *required: str, **more: Any) -> dict[str, Any]:
    """The schema that is shown of a form with these fields."""
    schema = form(
        "s", "t", "m", {"type": "object", "properties": properties, "required": list(required), **more}
    ).schema
    assert schema is not None
    return schema


KEPT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "string", "format": "email", "minLength": 3}, {}),
    ({"type": "integer", "minimum": 0, "maximum": 9, "default": 4}, {}),
    ({"type": "boolean", "default": False}, {}),
    ({"type": "string", "enum": ["a", "b"], "enumNames": ["A", "B"]}, {}),
    ({"type": "string", "oneOf": [{"const": "a", "title": "A"}]}, {}),
    ({"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "maxItems": 1, "default": ["a"]}, {}),
    ({"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}]}}, {}),
    ({"enum": ["a"]}, {"type": "string", "enum": ["a"]}),
    ({"type": ["string", "null"]}, {"type": "string"}),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}], "title": "T"}, {"type": "integer", "title": "T"}),
    ({"type": "string", "pattern": "(a+)+$", "$ref": "https://evil.example"}, {"type": "string"}),
    ({"type": "string", "format": "nonsense", "x": 1}, {"type": "string"}),
    ({"type": "integer", "default": "four"}, {"type": "integer"}),
    ({"type": "string", "title": "Na\u200bme\u202e"}, {"type": "string", "title": "Name"}),
]


@pytest.mark.parametrize(("given", "shown"), KEPT)
def test_what_is_kept_of_a_field(given: dict[str, Any], shown: dict[str, Any]) -> None:
    """The keywords that MCP has for forms, and no others: nothing is fetched, no expression of the server's is run."""
    assert read({"x": given}, "x", description="no", additionalProperties=True) == {
        "type": "object", "properties": {"x": shown or given}, "required": ["x"], "additionalProperties": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    "schema",
    [
        None, [], {"type": "array"}, {"properties": []}, {"properties": {"x": True}}, {"properties": {"x": 1}},
        {"properties": {f"f{n}": {"type": "string"} for n in range(101)}},
        {"properties": {"x": {"type": "object"}}}, {"properties": {"x": {"type": "array"}}},
        {"properties": {"x": {"type": "array", "items": {"type": "string"}}}}, {"properties": {"x": {}}},
        {"properties": {"x\u200b": {"type": "string"}}}, {"properties": {"": {"type": "string"}}},
        {"properties": {"x": {"type": "string", "enum": ["a\u202e"]}}}, {"properties": {"x": {"enum": [1]}}},
        {"properties": {f"f{n}": {"type": "string", "description": "d" * 999} for n in range(90)}},
    ],
)  # fmt: skip
def test_forms_that_nobody_is_asked(schema: Any) -> None:
    """What has another form than MCP's, hides something, or is too large, is refused."""
    with pytest.raises(Unfit):
        form("s", "t", "m", schema)


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://pay.example.com/x?y=1#z", True), ("http://127.0.0.1:8000/x", True), ("http://localhost/", True),
        ("http://[::1]/", True), ("http://pay.example.com", False), ("ftp://x.example", False), ("https://", False),
        ("javascript:alert(1)", False), ("https://bank.example@evil.example/", False), ("https://:x@e.example/", False),
        ("https://e.example/a b", False), ("https://bаnk.example/", False), ("https://e.example/\u202e", False),
        ("https://e.example:x/", False), ("https://[x/", False), ("https://e.example/" + "x" * 3000, False),
    ],
)  # fmt: skip
def test_addresses(url: str, fits: bool) -> None:
    """Those of https, and of this machine; none that hides where it leads."""
    try:
        assert address("s", "t", "m", url).url == url
        assert fits
    except Unfit:
        assert not fits


FORM = form("s", "t", "m", {
    "properties": {
        "day": {"type": "string", "format": "date"}, "at": {"type": "string", "format": "date-time"},
        "mail": {"type": "string", "format": "email"}, "site": {"type": "string", "format": "uri"},
        "n": {"type": "integer", "default": 4}, "some": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 1},
        "one": {"type": "string", "oneOf": [{"const": "x", "title": "X"}]},
    },
})  # fmt: skip


def test_what_fits() -> None:
    """Values are as they were given, in the form's order, with the defaults of what was left out."""
    given = {
        "site": "https://e.example", "mail": "a@e.example", "day": "2026-11-27", "at": "2026-11-27T12:00:00Z",
        "some": ["b"], "one": "x",
    }  # fmt: skip
    found = fitting(FORM, given)
    assert found == {**given, "n": 4}
    assert list(found) == ["day", "at", "mail", "site", "n", "some", "one"]
    assert fitting(FORM, {"n": 5}) == {"n": 5}
    assert fitting(FORM, None) == {"n": 4}


@pytest.mark.parametrize(
    ("given", "pointer", "said"),
    [
        ({"day": "s3cret"}, "#/content/day", "day must be a date"),
        ({"at": "2026-11-27T12:00:00"}, "#/content/at", "at must be a date-time"),
        ({"mail": "s3cret"}, "#/content/mail", "mail must be a email"),
        ({"site": "s3cret"}, "#/content/site", "site must be a uri"),
        ({"n": "s3cret"}, "#/content/n", "n must be of the type integer"),
        ({"n": True}, "#/content/n", "n must be of the type integer"),
        ({"some": ["s3cret"]}, "#/content/some/0", "some must be one of the choices: a, b"),
        ({"some": ["a", "b"]}, "#/content/some", "some does not keep maxItems 1"),
        ({"one": "s3cret"}, "#/content/one", "one must be one of the choices: x"),
        ({"s3cret": 1}, "#/content", "the form has no such field; it has day, at, mail, site, n, some, one"),
    ],
)
def test_what_does_not_fit(given: dict[str, Any], pointer: str, said: str) -> None:
    """The place and the rule are named, and never the value."""
    with pytest.raises(Invalid) as caught:
        fitting(FORM, given)
    assert caught.value.details["errors"] == [{"detail": said, "pointer": pointer}]
    assert "s3cret" not in caught.value.message


def test_an_address_takes_no_content() -> None:
    """It is accepted as it is."""
    asked = Question("s", "t", "m", url="https://e.example")
    assert fitting(asked, None) is None
    with pytest.raises(Invalid):
        fitting(asked, {"x": 1})


def test_choices() -> None:
    """Each with its label, the value itself where it has none."""
    assert choices({"enum": ["a", "b"], "enumNames": ["A"]}) == {"a": "A", "b": "b"}
    assert choices({"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}]}}) == {"a": "A"}
    assert choices({"type": "string"}) == {}
