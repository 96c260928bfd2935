"""What the manifest of every tool has, whatever its kind."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.kind import Spec
from headgate.core.ports import Annotations
from headgate.core.scalars import Name, Patience
from headgate.expressions.shape import ShapeText
from headgate.tools.schema import InputSchema
from headgate.tools.trials import ToolTest

DEFAULT_TIMEOUT = 30.0
"""Seconds that a call may take when its manifest does not say."""


class Hints(Spec):
    """How the tool behaves; what is unstated has MCP's defaults, or those of the kind."""

    read_only: bool | None = None
    """It changes nothing."""
    destructive: bool | None = None
    """It may overwrite or delete."""
    idempotent: bool | None = None
    """Calling it again with the same arguments changes nothing more, so a call that broke off may be repeated."""
    open_world: bool | None = None
    """It reaches beyond a closed set of things: the web, mail."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.read_only and self.destructive:
            raise PydanticCustomError("annotations", "a read-only tool cannot be destructive")
        return self

    def over(self, defaults: Annotations) -> Annotations:
        """The defaults of the kind, overridden by what is stated; a tool stated read-only is not destructive."""
        destructive = False if self.read_only else defaults.destructive
        return Annotations(
            read_only=_either(stated=self.read_only, default=defaults.read_only),
            destructive=_either(stated=self.destructive, default=destructive),
            idempotent=_either(stated=self.idempotent, default=defaults.idempotent),
            open_world=_either(stated=self.open_world, default=defaults.open_world),
        )


def _either(*, stated: bool | None, default: bool) -> bool:
    return default if stated is None else stated


class ToolSpec(Spec):
    """The keys that all kinds of tools share."""

    kind: str
    """What the tool is."""
    name: Name | None = None
    """The name of the tool; it must agree with the name of the file."""
    description: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    """What the model reads: what the tool does, and when to use it."""
    input: InputSchema | None = None
    """The JSON Schema (2020-12) of the arguments, an object."""
    annotations: Hints = Hints()
    """How the tool behaves; policies and recovery depend on it."""
    timeout: Patience | None = None
    """How long one call may take; 30s if unstated."""
    output: ShapeText | None = None
    """A JMESPath expression that shapes the result."""
    tests: tuple[ToolTest, ...] = ()
    """Inline tests, which `headgate test` runs."""

    @property
    def input_schema(self) -> dict[str, Any]:
        """The input schema; a tool that states none takes no arguments."""
        return self.input or {"type": "object", "properties": {}, "additionalProperties": False}

    @property
    def behaviour(self) -> Annotations:
        """The annotations of the tool, as they are stated or by default."""
        return self.annotations.over(Annotations())

    @property
    def seconds(self) -> float:
        """How long one call may take."""
        return DEFAULT_TIMEOUT if self.timeout is None else self.timeout
