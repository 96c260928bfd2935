"""Tools of kind `client`: the caller's front end executes them and posts the result."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from headgate.core.context import ToolContext
from headgate.core.errors import ToolError
from headgate.core.kind import Env, Finding, Kind, Scope
from headgate.core.messages import Text, ToolResult, failed
from headgate.core.ports import ToolDefinition
from headgate.core.scalars import Patience
from headgate.expressions.values import NotJsonError, TooLargeError, json_size
from headgate.tools.common import ToolSpec
from headgate.tools.content import tidy, visible
from headgate.tools.shapes import as_json, check_shape
from headgate.tools.trials import Data, ToolTest

MAX_RESULT = 1 << 20
"""Bytes of one posted result, as JSON."""


class ClientTest(ToolTest):
    """One call of the tool, and what must come of what the front end posts."""

    judged: ClassVar[tuple[str, ...]] = ("expect", "error")

    response: Data = None
    """What the front end posts as the result."""

    @model_validator(mode="after")
    def _answered(self) -> Self:
        if "expect" in self.model_fields_set and "response" not in self.model_fields_set:
            raise PydanticCustomError("client_test", "'expect' needs 'response'")
        return self


class ClientSpec(ToolSpec):
    """A tool that the caller's front end executes."""

    kind: Literal["client"]
    expires: Patience = 120.0
    """How long the front end has to post the result; after that the model is told that none came."""
    timeout: Patience | None = None
    """Not for this kind: write `expires`."""
    tests: tuple[ClientTest, ...] = ()
    """Inline tests, which `headgate test` runs."""


def check(spec: ClientSpec, _scope: Scope) -> Iterator[Finding]:
    """The key of other kinds that would mean nothing here, and a shape that fits no test."""
    yield from check_shape(("output",), spec.output, as_json(each.response for each in spec.tests))
    if spec.timeout is not None:
        yield Finding(("timeout",), "HG1003", "a client tool has no key 'timeout'", "write 'expires'")


@contextlib.asynccontextmanager
async def open_tool(spec: ClientSpec, env: Env) -> AsyncIterator[FrontEndTool]:
    """The tool; it holds nothing open."""
    yield FrontEndTool(spec, env)


class FrontEndTool:
    """Reads what a front end posted; it cannot be called here."""

    def __init__(self, spec: ClientSpec, env: Env) -> None:
        self._spec = spec
        self._env = env
        marks = spec.behaviour
        schema = spec.input_schema
        self.definition = ToolDefinition(env.name, spec.description, schema, marks, kind="client", location="client")
        self.timeout = spec.expires

    async def call(self, _args: dict[str, Any], _ctx: ToolContext, /) -> ToolResult:
        """Refuses: the call waits for the front end instead."""
        raise ToolError("not_supported", f"{self.definition.name} is executed by the front end of the caller")

    def receive(self, value: Any, /) -> ToolResult:
        """The result that the posted value stands for, cleaned and shaped; a failed one when it cannot be used."""
        name = self.definition.name
        try:
            json_size(value, MAX_RESULT)
            shaped = self._shaped(tidy(value, lambda text: visible(self._env.scrub(text))))
        except NotJsonError as error:
            return failed("invalid_result", f"the result of {name} is no JSON: {error}")
        except TooLargeError as error:
            return failed("result_too_large", f"the result of {name} is {error}")
        except RecursionError:
            return failed("invalid_result", f"the result of {name} is nested too deeply")
        except ToolError as error:
            return failed(error.code, error.message)
        return ToolResult(content=(Text(shaped),)) if isinstance(shaped, str) else ToolResult(structured=shaped)

    def _shaped(self, value: Any) -> Any:
        return value if self._spec.output is None else self._spec.output.apply(value, MAX_RESULT)


KIND: Kind[ClientSpec, FrontEndTool] = Kind(
    "client", "A tool that the caller's front end executes.", ClientSpec, open_tool, check
)
"""The registration of the kind."""
