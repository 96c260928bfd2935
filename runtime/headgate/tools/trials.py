"""The inline tests of tools: what every kind's have in common."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.kind import Spec
from headgate.core.scalars import Patience

TIMEOUT = 10.0
"""Seconds that one inline test may take when it does not say."""


def plain(value: Any) -> Any:
    """JSON data whose texts are texts alone: those with a resolved reference in them are of a type of their own, which
    encoders do not take."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


Data = Annotated[Any, BeforeValidator(plain)]
"""Any JSON value of a test."""
Table = Annotated[dict[str, Any], BeforeValidator(plain)]
"""A JSON object of a test."""


class ToolTest(Spec):
    """One call of the tool, and what must come of it."""

    judged: ClassVar[tuple[str, ...]] = ("expect", "error")
    """The keys that say what must come of the call; a test has at least one of them."""

    name: Annotated[str, Field(min_length=1)] | None = None
    """What the test shows; its number if unstated."""
    args: Table = {}
    """The arguments of the call."""
    expect: Data = None
    """The result, all of it, as the model gets it."""
    error: Annotated[str, Field(min_length=1)] | None = None
    """The code that the call must fail with."""
    timeout: Patience = TIMEOUT
    """How long the test may take."""

    @model_validator(mode="after")
    def _judges(self) -> Self:
        given = self.model_fields_set
        if {"expect", "error"} <= given:
            raise PydanticCustomError("tool_test", "'expect' and 'error' exclude each other")
        if given.isdisjoint(self.judged):
            raise PydanticCustomError("tool_test", "a test needs {keys}", {"keys": " or ".join(map(repr, self.judged))})
        return self
