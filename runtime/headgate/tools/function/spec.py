"""The manifest of a tool of kind `function`, and what may be wrong with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from headgate.core.kind import Finding, Scope
from headgate.tools.common import ToolSpec
from headgate.tools.function.locate import CALL, LocateError, locate
from headgate.tools.function.parameters import Parameters, read_parameters

_COMPOSED = ("$ref", "allOf", "anyOf", "oneOf")


class FunctionSpec(ToolSpec):
    """A Python function."""

    kind: Literal["function"]
    call: Annotated[str, Field(pattern=CALL, examples=["acme.orders:find"])]
    """`package.module:function` of a package that `[functions] packages` lists."""


def check(spec: FunctionSpec, scope: Scope) -> Iterator[Finding]:
    """Every finding of one manifest; imports the function's module."""
    try:
        parameters = load_parameters(spec, scope.packages)
    except LocateError as error:
        yield Finding(error.key, "HG1402", error.message, error.hint, error.offset)
        return
    if spec.input is not None:
        yield from _mismatches(spec.input, parameters)


def load_parameters(spec: FunctionSpec, packages: Sequence[str]) -> Parameters:
    """The parameters of the function that the manifest names; raises `LocateError`."""
    return read_parameters(locate(spec.call, packages), hinted=spec.input is None)


def hinted(spec: FunctionSpec, scope: Scope) -> Mapping[str, Any] | None:
    """The JSON Schema that the function's type hints give; None when it cannot be imported."""
    with contextlib.suppress(LocateError):
        return load_parameters(spec, scope.packages).schema
    return None


def _mismatches(schema: dict[str, Any], parameters: Parameters) -> Iterator[Finding]:
    if any(word in schema for word in _COMPOSED):
        return
    properties, required = schema.get("properties", {}), schema.get("required", ())
    for name in sorted(parameters.required):
        if name not in properties:
            message = f"the function requires {name!r}, which the input does not have"
            yield Finding(("input",), "HG1402", message, f"add {name!r} to properties: and required:")
        elif name not in required:
            message = f"the function requires {name!r}, which the input does not require"
            yield Finding(("input",), "HG1402", message, f"add {name!r} to required:", severity="warning")
    for name in properties:
        if name not in parameters.names:
            message = f"the function has no parameter {name!r}"
            yield Finding(("input", "properties", name), "HG1402", message, "remove it, or add it to the function")
