"""Templates inside JSON: any structure whose string leaves may hold `{{ path }}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from headgate.core.kind import Key
from headgate.expressions.template import MISSING, Template


@dataclass(frozen=True, slots=True)
class Templated:
    """A compiled structure; `node` is the JSON value with a `Template` in place of each string that has slots."""

    node: Any

    def __iter__(self) -> Iterator[tuple[Key, str, int]]:
        """Every (key path, template path, offset in that scalar)."""
        for key, template in self.templates():
            for path, offset in template.paths:
                yield key, path, offset

    def templates(self) -> Iterator[tuple[Key, Template]]:
        """Every string that has slots, with its key path."""
        return _templates(self.node, ())

    def render(self, scope: Mapping[str, Any]) -> Any:
        """The value without the keys and items whose template is MISSING; MISSING when the whole of it is."""
        return _render(self.node, scope)


def templated(value: Any) -> Templated:
    """Compiles a JSON value; raises `ValidationError` with the place of every template that cannot be read."""
    faults: list[InitErrorDetails] = []
    node = _compile(value, (), faults)
    if faults:
        raise ValidationError.from_exception_data("template", faults)
    return Templated(node)


def _compile(value: Any, key: Key, faults: list[InitErrorDetails]) -> Any:
    if isinstance(value, dict):
        return {name: _compile(each, (*key, name), faults) for name, each in value.items()}
    if isinstance(value, list):
        return [_compile(each, (*key, index), faults) for index, each in enumerate(value)]
    if not isinstance(value, str):
        return value
    try:
        template = Template.parse(value)
    except PydanticCustomError as error:
        faults.append(InitErrorDetails(type=error, loc=key, input=str(value)))
        return str(value)
    return template if template.slots else template.source


def _templates(node: Any, key: Key) -> Iterator[tuple[Key, Template]]:
    if isinstance(node, Template):
        yield key, node
    elif isinstance(node, dict):
        for name, each in node.items():
            yield from _templates(each, (*key, name))
    elif isinstance(node, list):
        for index, each in enumerate(node):
            yield from _templates(each, (*key, index))


def _render(node: Any, scope: Mapping[str, Any]) -> Any:
    if isinstance(node, Template):
        return node.render(scope)
    if isinstance(node, dict):
        made = ((name, _render(each, scope)) for name, each in node.items())
        return {name: value for name, value in made if value is not MISSING}
    if isinstance(node, list):
        return [value for each in node if (value := _render(each, scope)) is not MISSING]
    return node


def _validate(value: Any) -> Templated:
    return value if isinstance(value, Templated) else templated(value)


def _validate_flat(value: Any) -> Templated:
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, (dict, list)) for item in items):
        raise PydanticCustomError("template_type", "should be text, a number, true or false, or a list of these")
    return _validate(value)


def _validate_scalar(value: Any) -> Templated:
    if isinstance(value, (dict, list)):
        raise PydanticCustomError("template_type", "should be text, a number, true or false")
    return _validate(value)


_SCALAR = {"type": ["string", "number", "boolean"]}

TemplateBody = Annotated[Templated, PlainValidator(_validate), WithJsonSchema({"x-template": True})]
"""Any JSON value with templates in its strings."""

TemplateList = Annotated[
    Templated,
    PlainValidator(_validate_flat),
    WithJsonSchema({"type": ["string", "number", "boolean", "array"], "items": _SCALAR, "x-template": True}),
]
"""A scalar or a list of scalars, with templates."""

TemplateScalar = Annotated[Templated, PlainValidator(_validate_scalar), WithJsonSchema({**_SCALAR, "x-template": True})]
"""A scalar with templates."""
