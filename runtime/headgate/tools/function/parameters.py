"""The parameters of a function: a JSON Schema made from its type hints, and arguments made of the hinted types."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from headgate.core.errors import ToolError
from headgate.tools.function.locate import LocateError

_MODEL = ConfigDict(extra="forbid", title="Arguments")
CONTEXT = "ctx"
"""The parameter that receives the `ToolContext`; models never see it."""


class _Plain(GenerateJsonSchema):
    """JSON Schema without titles, which only repeat the names."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a function takes. `names` are the parameters that a model may fill in; `fields` are their model's fields."""

    names: tuple[str, ...]
    required: frozenset[str]
    takes_context: bool
    schema: Mapping[str, Any]
    model: type[BaseModel] = field(repr=False)

    def coerce(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the hinted types; raises `ToolError("invalid_arguments")`. Defaults are left to the call."""
        try:
            made = self.model.model_validate(dict(args))
        except ValidationError as error:
            raise ToolError("invalid_arguments", _explain(error)) from error
        fields = ((name, _field(index)) for index, name in enumerate(self.names))
        return {name: getattr(made, each) for name, each in fields if each in made.model_fields_set}


def read_parameters(function: Callable[..., Any], *, hinted: bool) -> Parameters:
    """The parameters of `function`; with `hinted`, each must have a type hint. Raises `LocateError`."""
    try:
        signature = inspect.signature(function)
    except ValueError as error:
        raise LocateError("the function does not tell its parameters") from error
    hints = _hints(function, signature)
    fields: dict[str, Any] = {}
    names: list[str] = []
    for name, parameter in signature.parameters.items():
        _check_parameter(parameter, hinted=hinted)
        if name != CONTEXT:
            fields[_field(len(names))] = (hints.get(name, Any), _describe(parameter))
            names.append(name)
    required = (name for name in names if signature.parameters[name].default is inspect.Parameter.empty)
    model, schema = _make(fields)
    return Parameters(tuple(names), frozenset(required), CONTEXT in signature.parameters, schema, model)


def _field(index: int) -> str:
    # The model's fields have names of their own: a parameter may be called `json` or `_id`, a field may not.
    return f"parameter{index}"


def _describe(parameter: inspect.Parameter) -> Any:
    default = ... if parameter.default is inspect.Parameter.empty else parameter.default
    return Field(default, alias=parameter.name)


def _check_parameter(parameter: inspect.Parameter, *, hinted: bool) -> None:
    if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        raise LocateError(f"the function takes *{parameter.name}; a tool's parameters have names")
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        raise LocateError(f"the parameter {parameter.name!r} is positional-only; a tool is called by name")
    if hinted and parameter.name != CONTEXT and parameter.annotation is inspect.Parameter.empty:
        raise LocateError(f"the parameter {parameter.name!r} has no type hint", hint="add one, or write input:")


def _hints(function: Callable[..., Any], signature: inspect.Signature) -> dict[str, Any]:
    """The resolved hints; those of `ctx` and of the result are not looked at and may be for type checkers alone."""
    empty = inspect.Parameter.empty
    written = {
        name: each.annotation
        for name, each in signature.parameters.items()
        if name != CONTEXT and each.annotation is not empty
    }
    plain = inspect.unwrap(function)
    scope = getattr(plain, "__globals__", None) or getattr(type(plain).__call__, "__globals__", {})
    try:
        return typing.get_type_hints(SimpleNamespace(__annotations__=written), scope, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise LocateError(f"the type hints of the function cannot be read: {error}") from error


def _make(fields: dict[str, Any]) -> tuple[type[BaseModel], dict[str, Any]]:
    try:
        model = create_model("Arguments", __config__=_MODEL, **fields)
        schema = model.model_json_schema(by_alias=True, schema_generator=_Plain)
    except (PydanticUserError, NameError) as error:
        reason = str(error).splitlines()[0]
        raise LocateError(f"the type hints have no JSON Schema: {reason}", hint="use JSON-like types") from error
    schema.pop("title", None)
    schema.setdefault("properties", {})
    return model, schema


def _explain(error: ValidationError) -> str:
    """What is wrong with which argument, without the values."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in faults)
