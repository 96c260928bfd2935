"""Templates inside JSON structures."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from headgate.expressions.body import TemplateBody, Templated, TemplateList, TemplateScalar, templated
from headgate.expressions.template import MISSING


def test_a_structure_is_rendered_without_what_is_missing() -> None:
    """Keys and items whose template is missing are left out; the rest keeps its types."""
    body = templated(
        {"a": "{{ args.a }}", "b": ["{{ args.b }}", "{{ args.a }}", 1], "c": {"d": "{{ args.b }}"}, "e": None}
    )
    assert body.render({"args": {"a": 5}}) == {"a": 5, "b": [5, 1], "c": {}, "e": None}


def test_a_whole_body_can_be_missing() -> None:
    """A body that is one template is MISSING as a whole."""
    assert templated("{{ args.b }}").render({"args": {}}) is MISSING


def test_iteration_names_every_path() -> None:
    """Iterating gives key path, template path and offset of each slot."""
    body = templated({"a": {"b": ["x", "{{ args.a }} {{ args.b }}"]}, "c": "{{ z }}"})
    assert list(body) == [(("a", "b", 1), "args.a", 3), (("a", "b", 1), "args.b", 16), (("c",), "z", 3)]


def test_every_syntax_error_has_its_place() -> None:
    """All broken strings are found in one pass, each with its key and offset."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(dict[str, TemplateBody]).validate_python({"body": {"a": "{{", "b": ["ok", "x {{ }}"]}})
    found = [(error["type"], error["loc"], error["ctx"]["offset"]) for error in caught.value.errors()]
    assert found == [("template_syntax", ("body", "a"), 0), ("template_syntax", ("body", "b", 1), 4)]


@pytest.mark.parametrize(("kind", "value"), [(TemplateList, {"a": 1}), (TemplateList, [[1]]), (TemplateScalar, ["a"])])
def test_flat_types_refuse_structures(kind: object, value: object) -> None:
    """Query values are scalars or lists of scalars, header values are scalars."""
    with pytest.raises(ValidationError, match="should be text"):
        TypeAdapter[Templated](kind).validate_python(value)


def test_schemas_say_that_templates_are_allowed() -> None:
    """Each annotated type carries x-template."""
    for kind in (TemplateBody, TemplateList, TemplateScalar):
        assert TypeAdapter[Templated](kind).json_schema()["x-template"] is True
