"""Templates: syntax with positions, JSON types, missing values."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from headgate.core.scalars import Interpolated
from headgate.expressions.template import MISSING, Template, TemplateText

SCOPE = {
    "args": {"name": "ACME", "n": 3, "ratio": 0.5, "on": True, "none": None, "lines": [{"id": 7}], "o": {"a": [1]}},
    "include:tone": "Be kind.",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ args.name }}", "ACME"),
        ("{{args.n}}", 3),
        ("{{ args.on }}", True),
        ("{{ args.none }}", None),
        ("{{ args.o }}", {"a": [1]}),
        ("{{ args.lines[0].id }}", 7),
        ("{{ include:tone }}", "Be kind."),
        ("plain", "plain"),
        ("", ""),
        ("}} {", "}} {"),
    ],
)
def test_a_whole_slot_keeps_its_json_type(text: str, value: object) -> None:
    """A scalar that is exactly one slot renders to the value itself, other text stays as it is."""
    assert Template.parse(text).render(SCOPE) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (" {{ args.n }}", " 3"),
        ("{{ args.name }}/{{ args.ratio }}", "ACME/0.5"),
        ("on={{ args.on }}", "on=true"),
        ("o={{ args.o }}", 'o={"a":[1]}'),
        ("n={{ args.none }}", "n=null"),
    ],
)
def test_values_inside_text_are_written_as_json(text: str, value: str) -> None:
    """Inside text, strings stand as they are and everything else as compact JSON."""
    assert Template.parse(text).render(SCOPE) == value


@pytest.mark.parametrize("path", ["args.gone", "gone", "args.lines[1].id", "args.name.x", "args[0]", "args.lines.id"])
def test_a_path_that_leads_nowhere_is_missing(path: str) -> None:
    """A missing value makes the whole scalar MISSING, alone and inside text."""
    assert Template.parse(f"{{{{ {path} }}}}").render(SCOPE) is MISSING
    assert Template.parse(f"x {{{{ {path} }}}}").render(SCOPE) is MISSING


def test_escape_is_applied_to_values_only() -> None:
    """`render_text` escapes what was filled in and leaves the literal text alone."""
    assert Template.parse("a b/{{ args.name }}").render_text(SCOPE, str.lower) == "a b/acme"


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("ab {{ args.x", 3),
        ("{{}}", 2),
        ("{{   }}", 2),
        ("x {{ a b }}", 5),
        ("{{ args..x }}", 3),
        ("{{ args[x] }}", 3),
        ("{{ 1 + 1 }}", 3),
        ("{{ include:Bad Name }}", 3),
        ("{{{ a }}}", 2),
    ],
)
def test_bad_syntax_is_an_error_with_its_offset(text: str, offset: int) -> None:
    """What is not a path is refused where it stands."""
    with pytest.raises(PydanticCustomError) as caught:
        Template.parse(text)
    assert caught.value.type == "template_syntax"
    assert caught.value.context == {"offset": offset}


def test_paths_come_with_offsets() -> None:
    """Every path is listed with the place of its first character."""
    assert Template.parse("a {{ x.y }}{{z[0]}}").paths == (("x.y", 5), ("z[0]", 13))


def test_text_from_a_reference_holds_no_syntax() -> None:
    """Braces that came from `${...}` are data."""
    template = Template.parse(Interpolated("{{ a }} {{ args.n }}", ((0, 7),)))
    assert template.render(SCOPE) == "{{ a }} 3"


def test_a_path_from_a_reference_is_refused() -> None:
    """A slot whose path came from `${...}` is an error, not a way to read something else."""
    with pytest.raises(PydanticCustomError, match="cannot come from a reference"):
        Template.parse(Interpolated("{{ secret }}", ((3, 9),)))


def test_partition_splits_at_literal_text() -> None:
    """The mark is looked for in literal text only, and belongs to the second half."""
    before, after = Template.parse("/{{ args.name }}/x?q={{ args.n }}").partition("?")
    assert (before.render(SCOPE), after.render(SCOPE)) == ("/ACME/x", "?q=3")
    assert Template.parse("{{ args.n }}").partition("?")[1].parts == ()


def test_the_annotated_type_parses_and_describes_itself() -> None:
    """`TemplateText` makes a template, keeps one, refuses other types, and marks its schema."""
    adapter = TypeAdapter[Template](TemplateText)
    template = adapter.validate_python("{{ a }}")
    assert adapter.validate_python(template) is template
    assert adapter.json_schema() == {"type": "string", "x-template": True}
    with pytest.raises(ValidationError, match="should be text"):
        adapter.validate_python(3)
